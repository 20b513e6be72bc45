"""The real servers on a machine that has only Python: PostgreSQL, Valkey, S3, Keycloak and Kafka.

They come as wheels (the `stack` group in pyproject.toml) or as Maven artifacts run by a wheel's Java. Their data
live under `var/stack/` of the checkout, so that several checkouts run side by side. `bin/stack`, `bin/demo` and
`bin/test` are the ways in. Nothing here imports other code of ours.
"""
