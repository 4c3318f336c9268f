"""Checks of a candidate snapshot: expectations, their results and their history."""
