"""Files that people or systems put in a folder: exports, registers, open data."""
