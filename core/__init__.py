"""What every room needs: errors, tenancy, audit, the web's common parts, health."""
