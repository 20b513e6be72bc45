import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from core.health.metrics import LATENCY, REQUESTS, metrics, note_start
from core.health.services import check_all

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class HealthMiddleware:
    """Answers /health, /health/ready and /metrics at any host, and measures everything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        note_start(time.time())

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        match request.path:
            case "/health" | "/health/":
                return JsonResponse({"status": "ok"})
            case "/health/ready" | "/health/ready/":
                return self._ready()
            case "/metrics" | "/metrics/":
                return metrics(request)
        begin = time.perf_counter()
        response = self.get_response(request)
        portal = "workspace" if getattr(request, "tenant", None) else "platform"
        route = getattr(getattr(request, "resolver_match", None), "view_name", "") or "none"
        LATENCY.labels(portal, route).observe(time.perf_counter() - begin)
        REQUESTS.labels(portal, _method(request), route, str(response.status_code)).inc()
        return response

    def _ready(self) -> JsonResponse:
        findings = check_all()
        ready = all(finding.ok for finding in findings)
        parts = {finding.name: {"ok": finding.ok, "latency_ms": finding.latency_ms} for finding in findings}
        return JsonResponse({"status": "ok" if ready else "unavailable", "parts": parts}, status=200 if ready else 503)


def _method(request: HttpRequest) -> str:
    """Return the method's name; made-up ones share one, or strangers could fill the memory with them."""
    return request.method if request.method in METHODS else "other"
