#!/usr/bin/env bash
# Gives Keycloak a database of its own when PostgreSQL starts for the first time.
set -euo pipefail

if [[ -z ${KEYCLOAK_DB_PASSWORD:-} ]]; then
    echo "KEYCLOAK_DB_PASSWORD is empty: no database for Keycloak."
    exit 0
fi

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set password="$KEYCLOAK_DB_PASSWORD" <<'SQL'
CREATE ROLE keycloak LOGIN PASSWORD :'password';
CREATE DATABASE keycloak OWNER keycloak;
REVOKE CONNECT ON DATABASE keycloak FROM PUBLIC;
SQL
