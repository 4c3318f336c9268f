#!/bin/sh
# Make docker/secrets/ with random passwords, once; what is there is kept. Vendor credentials go into
# docker/secrets/connections.json (see docs/install.md).
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
random() { python3 -c 'import secrets; print(secrets.token_urlsafe(32), end="")'; }
fernet() { python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode(), end="")'; }
make() { [ -e "secrets/$1" ] || { "$2" >"secrets/$1"; echo "made docker/secrets/$1"; }; }
url() { printf 'postgresql+psycopg2://uptake:%s@postgres:5432/%s' "$(cat secrets/postgres_password)" "$1"; }
airflow_url() { url airflow; }
operations_url() { url operations; }
no_connections() { printf '{}\n'; }
make postgres_password random
make airflow_database_url airflow_url
make operations_url operations_url
make airflow_fernet_key fernet
make airflow_jwt_secret random
make airflow_api_secret random
make proxy_secret random
make connections.json no_connections
