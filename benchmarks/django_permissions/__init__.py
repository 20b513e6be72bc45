"""Django's own permissions and django-guardian's, with as many people, roles and permissions as ours."""
