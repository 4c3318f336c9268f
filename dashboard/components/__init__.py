"""Pieces that every page is made of; none of them knows a mart or says a number that it was not given."""
