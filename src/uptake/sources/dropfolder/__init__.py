"""Files that people or systems put in a folder: exports, registers, open data. See docs/drop-folder.md."""

from uptake.sources.dropfolder.source import DropFolder, DropFolderSettings

__all__ = ["DropFolder", "DropFolderSettings"]
