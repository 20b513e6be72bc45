"""The Keycloak adapter: a realm for each tenant, made with one call and managed by the realm's own admin client."""
