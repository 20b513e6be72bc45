"""manage.py migrate_schemas"""

from django.core.management.base import BaseCommand

from tenants import fleet


class Command(BaseCommand):
    help = "Migrates every tenant's schema: only the apps that tenants have, over the operations login. Run `migrate` first."

    def handle(self, *args: object, **options: object) -> None:
        count = changed = 0
        for slug, applied in fleet.migrate_tenants():
            count += 1
            if applied:
                changed += 1
                self.stdout.write(f"{slug}: {applied} applied")
        self.stdout.write(f"{count} tenants, {changed} migrated.")
