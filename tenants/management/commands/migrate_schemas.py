"""manage.py migrate_schemas"""

from tenants.management.commands.migrate_fleet import Command as MigrateFleet


class Command(MigrateFleet):
    """django-tenants' name for it: its own command would record migrations that never ran."""
