#!/bin/sh
# Secrets come as files: NAME_FILE=/run/secrets/x becomes NAME, so that no secret stands in the compose file,
# in the image or in `docker inspect`.
set -eu
for name in $(env | sed -n 's/^\([A-Z][A-Z0-9_]*\)_FILE=.*/\1/p'); do
    eval "file=\$${name}_FILE"
    [ -r "$file" ] || { echo "cannot read the secret $name from $file" >&2; exit 1; }
    export "$name=$(cat "$file")"
done
exec "$@"
