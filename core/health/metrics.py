"""Figures for Prometheus. Every request is counted and timed by the name of its route, never by its path."""

import ipaddress
import os
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY: Final = CollectorRegistry()
REQUESTS = Counter(
    "plexica_http_requests_total", "Requests", ["portal", "method", "route", "status"], registry=REGISTRY
)
LATENCY = Histogram("plexica_http_request_seconds", "Time to answer", ["portal", "route"], registry=REGISTRY)
START = Gauge("plexica_process_start_seconds", "When this process started", ["pid"], registry=REGISTRY)
for _path in settings.METRICS_COLLECTORS:
    REGISTRY.register(import_string(_path)())


def note_start(moment_s: float) -> None:
    """Keep when this process started."""
    START.labels(str(os.getpid())).set(moment_s)


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus: with PLEXICA_METRICS_TOKEN whoever has it, without it callers on this machine."""
    if not _may_read(request):
        return HttpResponse(status=403, content="metrics: not for you\n", content_type="text/plain")
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        return constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}")
    if settings.TRUST_PROXY:  # everybody comes from the proxy then
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
