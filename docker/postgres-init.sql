-- Two databases on one server: Airflow's metadata, and Uptake's operations.
CREATE DATABASE airflow;
CREATE DATABASE operations;
