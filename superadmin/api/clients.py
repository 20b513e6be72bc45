"""API clients of the platform: any operator may look, super admins make and revoke them."""

from accounts.api import clients


class ApiClientCollection(clients.ApiClientCollection):
    """List API clients of the platform, or make one."""

    requires = {}


class ApiClientItem(clients.ApiClientItem):
    """Read or revoke one API client of the platform."""

    requires = {}


class ApiClientSecret(clients.ApiClientSecret):
    """Give an API client of the platform another secret."""

    requires = {}
