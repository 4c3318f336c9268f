"""Where files lie (a folder on this machine, an SFTP server, a bucket) and which of them are ready to be taken."""

from uptake.sources.places.folder import DroppedFile, Folder, Wanted
from uptake.sources.places.settings import FolderSettings

__all__ = ["DroppedFile", "Folder", "FolderSettings", "Wanted"]
