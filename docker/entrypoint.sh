#!/bin/sh
# Secrets come as files: UPTAKE_X_FILE=/run/secrets/x becomes UPTAKE_X, and likewise for AIRFLOW__*, so that no secret
# stands in the compose file, in the image or in `docker inspect`.
set -eu
for pair in $(env | grep -E '^(UPTAKE_|AIRFLOW__)[A-Z0-9_]*_FILE=[^ ]*/secrets/[^ ]*$'); do
    name=${pair%%=*}
    name=${name%_FILE}
    file=${pair#*=}
    [ -r "$file" ] || { echo "cannot read the secret $name from $file" >&2; exit 1; }
    export "$name=$(cat "$file")"
done
exec "$@"
