"""Which apps there are, and whether their tables are the platform's, a tenant's, or both."""

from core.partitions import Period
from plexica.settings.environment import BASE_DIR
from plexica.settings.site import DEVELOPMENT

# An app is platform or tenant; the few in both hold what the platform's realm and every tenant's realm need alike.
BOTH_APPS = [
    "django.contrib.sessions",
    "oauth2_provider",
    "accounts.identity",
    "accounts.sessions",
    "accounts.clients",
    "core.audit",
    "core.idempotency",
]
PLATFORM_APPS = [
    "tenants",
    "tenants.fleet",
    "accounts.operators",
    "events.outbox",
    "events.webhooks.queue",
    "archives",
]
PEOPLE_APPS = [
    "tenants.preferences",
    "accounts.people",
    "storage.keys",
    "events.inbox",
    "events.webhooks",
]
# Apps without tables of their own. Django's permissions and content types are not used: their tables exist nowhere.
TABLELESS_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "core.web.apps.StaticFiles",
    "accounts",
    "core.web",
    "core.health",
    "core.inbox",
    "storage",
    "superadmin",
    "workspace",
    "csp",
    "django_htmx",
    "django_structlog",
    "template_partials",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
SHARED_APPS = [*PLATFORM_APPS, *BOTH_APPS]  # django-tenants' names for the two lists
TENANT_APPS = [*PEOPLE_APPS, *BOTH_APPS]
INSTALLED_APPS = [*TABLELESS_APPS, *PLATFORM_APPS, *PEOPLE_APPS, *BOTH_APPS]

TENANT_DIRECTORY = "tenants.directory.get_ref"
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"

MIDDLEWARE = [
    "core.web.middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "core.web.middleware.PolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.web.middleware.CompressionMiddleware",
    "core.health.middleware.HealthMiddleware",
    "core.web.middleware.BrowserLanguageMiddleware",
    "core.web.errors.ErrorMiddleware",
    "tenants.middleware.TenantMiddleware",
    "core.limits.middleware.RateLimitMiddleware",
    "accounts.sessions.middleware.RealmSessionMiddleware",
    "core.web.middleware.AddressMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.sessions.middleware.PrincipalMiddleware",
    "accounts.language.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "plexica.urls_platform"
PLATFORM_URLCONF = "plexica.urls_platform"
TENANT_URLCONF = "plexica.urls_tenant"
WSGI_APPLICATION = "plexica.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["core.web.templatetags.px", "django.templatetags.i18n", "django.templatetags.static"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "core.web.page.page",
                "accounts.page.person",
                "workspace.page.workspace",
                "superadmin.page.console",
            ],
        },
    }
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("it", "Italiano")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"

SHOW_COMPONENTS = DEVELOPMENT  # the gallery at /console/components/

# What every tenant gets, in this order; deletion and undo run up the list.
TENANT_STEPS = [
    "tenants.steps.AddressStep",
    "tenants.steps.SchemaStep",
    "tenants.preferences.steps.PreferencesStep",
    "accounts.steps.RealmStep",
    "storage.steps.BucketStep",
    "accounts.steps.FirstAdminStep",
]
# Told of each tenant with a realm elsewhere that was stopped or let go on; a beat finds what no message told.
TASKS_AFTER_STATUS_CHANGE = ["accounts.tasks.match_realms"]
# What else remembers a tenant: a deletion removes it after the steps, and counts all of it at its end.
TENANT_TRACES = [
    "tenants.traces.Messages",
    "tenants.traces.QueuedWebhooks",
    "tenants.traces.RememberedCalls",
    "tenants.traces.PersonalData",
    "tenants.traces.CacheEntries",
]
# How each kind of operation (tenants.models.Operation.Kind) is carried out.
OPERATION_KINDS = {
    "provision": "tenants.services.provisioning.Provisioning",
    "delete": "tenants.services.deletion.Deletion",
    "export": "archives.services.exports.Export",
    "import": "archives.services.imports.Import",
    "clone": "archives.services.imports.Clone",
}
DELETION_EXPORT_STEP = "archives.steps.ArchiveBeforeDeletionStep"  # the step that a deletion with an export begins with
# The parts of a tenant that the console can look at, in this order.
TENANT_CHECKS = [
    "tenants.infrastructure.AddressCheck",
    "tenants.infrastructure.SchemaCheck",
    "tenants.infrastructure.RoleCheck",
    "accounts.checks.RealmCheck",
    "storage.checks.BucketCheck",
]
HEALTH_CHECKS = [
    "core.health.checks.database",
    "core.health.checks.cache",
    "core.health.checks.broker",
    "storage.health.object_storage",
    "accounts.identity.keycloak.health.identity_servers",
]
# What /metrics asks besides counting requests: classes of prometheus_client collectors.
METRICS_COLLECTORS = [
    "events.watching.Figures",
    "events.webhooks.watching.WebhookFigures",
    "accounts.identity.keycloak.health.ServerFigures",
]
# What `manage.py doctor` looks at, in this order; each gives lines of core.health.doctor.
DOCTOR_CHECKS = [
    "core.health.doctor.settings_are_safe",
    "tenants.doctor.database",
    "tenants.doctor.roles",
    "tenants.doctor.migrations",
    "tenants.doctor.partitions",
    "core.health.doctor.parts_answer",
    "core.health.doctor.valkey",
    "core.health.doctor.workers",
    "tenants.doctor.operations",
    "events.watching.examine_delivery",
    "events.webhooks.watching.examine_webhooks",
    "core.health.doctor.mail",
    "accounts.identity.keycloak.health.examine_servers",
]
# Tables split by time; `tenants.tasks.keep_partitions_ahead` makes the next ones.
PARTITIONED_TABLES: dict[str, dict[str, Period]] = {
    "platform": {"audit_entry": "month", "events_outbox": "day"},
    "tenant": {"audit_entry": "month"},
}
# What a tenant's role may only add to and read, or only read, in its own schema.
TENANT_INSERT_ONLY_TABLES = ["audit_entry"]
TENANT_READ_ONLY_TABLES = ["django_migrations"]
