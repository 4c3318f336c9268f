"""The HTTP door for pushed events, and the spool in which they wait for their pull. See docs/receiver.md."""
