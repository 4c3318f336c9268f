"""A simulated school district, served over its vendors' own protocols by a real HTTP server.

Deterministic (the same seed and size give the same bytes), with planted truths (truths.yaml), a clock of its own and
faults that can be switched on. For demos and tests; nothing here is a real person, school or product.
"""
