"""What the built-in issuer publishes: its endpoints, and the keys of the realm."""

import json
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_GET
from oauth2_provider.views import ConnectDiscoveryInfoView, DeviceAuthorizationView

from accounts.identity.addresses import origin
from accounts.identity.builtin import keys
from accounts.identity.builtin.halfway import PASSWORD_ALONE, WITH_CODE
from accounts.identity.models import SigningKey

KEYS_FRESH_S = 300
MORE_ENDPOINTS = {
    "revocation_endpoint": "oauth2_provider:revoke-token",
    "introspection_endpoint": "oauth2_provider:introspect",
    "device_authorization_endpoint": "oauth2_provider:device-authorization",
}


class DiscoveryView(ConnectDiscoveryInfoView):  # type: ignore[misc]
    """The library's document, with the endpoints that it leaves out and only the algorithm that is used."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        document = json.loads(super().get(request, *args, **kwargs).content)
        document |= {field: f"{origin()}{reverse(name)}" for field, name in MORE_ENDPOINTS.items()}
        document["id_token_signing_alg_values_supported"] = ["RS256"]
        document["acr_values_supported"] = [PASSWORD_ALONE, WITH_CODE]
        return _public(document)


class DeviceStartView(DeviceAuthorizationView):  # type: ignore[misc]
    """Starts the device flow; the page for the code is at the current address."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        response: JsonResponse = super().post(request, *args, **kwargs)
        if response.status_code != 200:
            return response
        page = f"{origin()}{reverse('oauth2_provider:device')}"
        document = json.loads(response.content)
        document |= {"verification_uri": page, "verification_uri_complete": f"{page}?user_code={document['user_code']}"}
        return JsonResponse(document)


@require_GET
def jwks(request: HttpRequest) -> JsonResponse:
    """The public keys of the realm."""
    response = _public({"keys": [keys.public_jwk(key) for key in SigningKey.objects.published()]})
    response["Cache-Control"] = f"public, max-age={KEYS_FRESH_S}"
    return response


def _public(document: dict[str, Any]) -> JsonResponse:
    response = JsonResponse(document)
    response["Access-Control-Allow-Origin"] = "*"
    return response
