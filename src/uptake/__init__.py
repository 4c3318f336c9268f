"""Uptake: the continuous record of how a school district's EdTech is taken up, by whom, and what it is worth."""

import os

__version__ = "0.1.0"

# Arrow's allocator gives freed memory back after 10 ms, and a large pull then pays for the same pages with every block:
# a seventh of its time. Milliseconds; read when pyarrow is first imported.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "10000")
