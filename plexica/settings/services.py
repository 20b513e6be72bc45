"""Valkey, Celery, object storage, mail."""

from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationInfo, field_validator

from plexica.settings.environment import Environment, load
from plexica.settings.site import DEVELOPMENT, STATICFILES_BACKEND


class Services(Environment):
    redis_url: str = Field(description="redis://host:port/0, the cache")
    broker_url: str = Field(description="redis://host:port/1, Celery's queues")
    bus_url: str = Field(
        "",
        description="The bus of events: redis://host:port/1, or kafka://[user:password@]host:port[,host:port]/topic with "
        "?security.protocol=, &sasl.mechanism=, &ssl.ca.location= as librdkafka knows them; empty: broker_url",
    )
    storage: Literal["s3", "files"] = Field(
        "s3", description="Where tenants' files are: buckets over S3, or folders below `storage_root` (one machine)"
    )
    storage_root: str = Field("var/files", description="With storage=files: the folder that holds tenants' folders")
    s3_endpoint_url: str = Field("", description="Object storage that speaks S3; empty: AWS")
    s3_iam_endpoint_url: str = Field("", description="Its IAM API, which makes tenants' keys; empty: s3_endpoint_url")
    s3_access_key: str = Field(
        "",
        validate_default=True,
        description="May make and delete buckets, IAM users, their policies and keys; tenants' files use their own",
    )
    s3_secret_key: str = Field("", validate_default=True, description="Secret of s3_access_key")
    s3_region: str = Field("us-east-1", description="Region of the buckets")
    email_url: str = Field(
        "", description="smtp+starttls://user:password@host, smtps://..., or smtp:// (never encrypted)"
    )
    mail_dir: str = Field("", description="Development: mails are written there as files, and shown at /inbox/")
    mail_from: str = Field("Plexica <no-reply@plexica.example>", description="Sender of mails")

    @field_validator("s3_access_key", "s3_secret_key")
    @classmethod
    def _is_there_for_s3(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.data.get("storage") == "s3":
            raise ValueError("is needed, unless PLEXICA_STORAGE is files")
        return value


_services = load(Services)

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": _services.redis_url,
        "KEY_FUNCTION": "core.tenancy.cache.make_key",
        "REVERSE_KEY_FUNCTION": "core.tenancy.cache.reverse_key",
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            "SOCKET_CONNECT_TIMEOUT": 0.5,
            "SOCKET_TIMEOUT": 0.5,
        },
    }
}
# Valkey may be lost at any time: a cache that does not answer is an empty cache.
DJANGO_REDIS_IGNORE_EXCEPTIONS = True
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True

BUS_URL = _services.bus_url or _services.broker_url
CELERY_BROKER_URL = _services.broker_url
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "tenants.tasks.*": {"queue": "operations"},
    "archives.tasks.*": {"queue": "operations"},
    "accounts.tasks.match_realms": {"queue": "operations"},
    "accounts.tasks.forget_names": {"queue": "operations"},  # the audit log can be changed over its login alone
}
# By default Celery closes a child's pool of database connections before and after each task; TenantTask gives back what
# a task took, and the pool ends what is old.
CELERY_DB_REUSE_MAX = 2**31
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_connect_timeout": 2, "socket_timeout": 30}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.2}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    # the table is the truth, a message only a hint: what nobody picked up is found here
    "run-due-operations": {"task": "tenants.tasks.run_due_operations", "schedule": 5.0, "options": {"expires": 5}},
    "keep-partitions-ahead": {"task": "tenants.tasks.keep_partitions_ahead", "schedule": 6 * 3600.0},
    "clear-old-events": {"task": "tenants.tasks.clear_old_events", "schedule": 24 * 3600.0},
    "remove-old-archives": {"task": "archives.tasks.remove_old_archives", "schedule": 6 * 3600.0},
    "forget-people-of-failed-tenants": {
        "task": "tenants.tasks.forget_people_of_failed_tenants",
        "schedule": 24 * 3600.0,
    },
    "match-realms": {"task": "accounts.tasks.match_realms", "schedule": 30.0, "options": {"expires": 30}},
    "sync-people": {"task": "accounts.tasks.sync_people", "schedule": 3600.0, "options": {"expires": 3600}},
    "forget-names": {"task": "accounts.tasks.forget_names", "schedule": 24 * 3600.0},
    "rotate-old-keys": {"task": "accounts.tasks.rotate_old_keys", "schedule": 24 * 3600.0},
    "clear-old-rows": {"task": "accounts.tasks.clear_old_rows", "schedule": 24 * 3600.0},
}
CELERY_BEAT_SCHEDULE_FILENAME = "var/celerybeat-schedule"

STORAGES = {
    "default": {"BACKEND": "storage.tenant_files.TenantFiles"},
    "staticfiles": {"BACKEND": STATICFILES_BACKEND},
}
STORAGE = _services.storage
STORAGE_ROOT = str(Path(_services.storage_root).resolve())
S3_ENDPOINT_URL = _services.s3_endpoint_url or None
S3_IAM_ENDPOINT_URL = _services.s3_iam_endpoint_url or S3_ENDPOINT_URL
S3_ACCESS_KEY = _services.s3_access_key
S3_SECRET_KEY = _services.s3_secret_key
S3_REGION = _services.s3_region

DEFAULT_FROM_EMAIL = SERVER_EMAIL = _services.mail_from
if _services.mail_dir or (DEVELOPMENT and not _services.email_url):
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = _services.mail_dir or str(Path("var/mail").resolve())
    SHOW_INBOX = DEVELOPMENT  # mails hold links that set passwords
else:
    SHOW_INBOX = False
    _mail = urlsplit(_services.email_url)
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = _mail.hostname or "localhost"
    EMAIL_PORT = _mail.port or {"smtps": 465, "smtp+starttls": 587}.get(_mail.scheme, 25)
    EMAIL_HOST_USER = unquote(_mail.username or "")
    EMAIL_HOST_PASSWORD = unquote(_mail.password or "")
    EMAIL_USE_SSL = _mail.scheme == "smtps"
    EMAIL_USE_TLS = _mail.scheme == "smtp+starttls"
    EMAIL_TIMEOUT = 10
