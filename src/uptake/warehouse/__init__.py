"""The warehouse: one DuckDB file for each district, written by its build and read by nobody else."""
