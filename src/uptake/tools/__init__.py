"""What is used and not yet decided on: the review of unknown hosts and tools, and decisions in the catalogue."""
