"""Reads PLEXICA_* from the environment, and secrets also from files named by PLEXICA_*_FILE.

Each topic beside this file declares a class of fields. A missing or wrong value stops the start and names itself.
"""

import os
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, ValidationError

PREFIX = "PLEXICA_"
BASE_DIR = Path(__file__).resolve().parent.parent.parent


class Environment(BaseModel):
    """Base of a topic's fields: field `secret_key` is PLEXICA_SECRET_KEY or the file PLEXICA_SECRET_KEY_FILE."""

    model_config = ConfigDict(validate_default=True)


def check_port(url: SplitResult) -> None:
    """Raise ValueError if the port is none; the property checks it when it is read."""
    try:
        url.port  # noqa: B018
    except ValueError:
        raise ValueError("the port must be a number up to 65535") from None


E = TypeVar("E", bound=Environment)


def load(topic: type[E]) -> E:
    """Return the topic's values. Raises ImproperlyConfigured naming every variable that is missing or wrong."""
    values = {field: _read(f"{PREFIX}{field.upper()}") for field in topic.model_fields}
    try:
        return topic(**{field: value for field, value in values.items() if value is not None})
    except ValidationError as error:
        faults = [
            f"{PREFIX}{str(fault['loc'][0]).upper() if fault['loc'] else '*'}: {fault['msg']}"
            for fault in error.errors()
        ]
        raise ImproperlyConfigured("Settings from the environment are not right.\n  " + "\n  ".join(faults)) from None


def _read(variable: str) -> str | None:
    """Return the variable's value, or what the file holds that <variable>_FILE names; an empty variable is none."""
    value, path = os.environ.get(variable), os.environ.get(f"{variable}_FILE")
    if value or not path:
        return value or None
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{variable}_FILE: the file can't be read: {error}") from None
