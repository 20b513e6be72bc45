"""The REST API and its OpenAPI document."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.BearerAuthentication",
        "accounts.api.authentication.BrowserSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.Requires"],
    "DEFAULT_THROTTLE_CLASSES": ["core.limits.throttle.QuotaThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.web.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "core.web.openapi.ProblemAwareSchema",
    "DEFAULT_METADATA_CLASS": "core.web.metadata.Metadata",
    "DEFAULT_PAGINATION_CLASS": "core.web.pagination.PageNumberPagination",
    "EXCEPTION_HANDLER": "core.web.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Plexica",
    "DESCRIPTION": "The REST API of a Plexica platform and of its tenants.",
    "VERSION": "1.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "ENUM_NAME_OVERRIDES": {
        "TenantStatus": "tenants.models.Tenant.Status",
        "OperationStatus": "tenants.models.Operation.Status",
        "StepStatus": "tenants.models.OperationStep.Status",
        "InvitationState": "accounts.people.invitations.selectors.STATES",
        "ApiClientState": "accounts.clients.models.STATES",
        "WebhookState": "events.webhooks.models.STATES",
        "DeliveryStatus": "events.webhooks.models.Delivery.Status",
        "OperationKind": "tenants.models.Operation.Kind",
    },
}
