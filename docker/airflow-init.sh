#!/bin/sh
# Before any Airflow service starts: the metadata database, one writer pool for each district, Uptake's own state.
set -eu
airflow db migrate
pools=$(mktemp --suffix=.json)
python "$(dirname "$0")/../scripts/airflow_pools.py" >"$pools"
airflow pools import "$pools"
rm "$pools"
uptake init
