"""Uptake: the continuous record of how a school district's EdTech is taken up, by whom, and what it is worth."""

__version__ = "0.1.0"
