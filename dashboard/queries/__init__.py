"""The only SQL of the dashboard: every function reads a published snapshot, for a viewer, with bound parameters."""
