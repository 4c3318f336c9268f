"""Tells people when something breaks, and when it is mended: once for each change."""
