"""Google: Classroom, and what its Admin SDK reports of apps and Chromebooks."""

from uptake.sources.google.admin import GoogleAdmin, GoogleAdminSettings
from uptake.sources.google.classroom import GoogleClassroom, GoogleClassroomSettings

__all__ = ["GoogleAdmin", "GoogleAdminSettings", "GoogleClassroom", "GoogleClassroomSettings"]
