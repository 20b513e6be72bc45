import pytest


@pytest.fixture
def platform_issuer_token(operator_at_console):
    """An operator's access token."""
    from tests.support.issuer import Issuer

    return Issuer(None).tokens(operator_at_console)["access_token"]
