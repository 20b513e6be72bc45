"""Reads PLEXICA_* from the environment, and secrets also from files named by PLEXICA_*_FILE.

Each topic beside this file declares a class of fields. A missing or wrong value stops the start and names itself.
"""

import os
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult

from django.core.exceptions import ImproperlyConfigured
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "PLEXICA_"
BASE_DIR = Path(__file__).resolve().parent.parent.parent


class _FileSource(PydanticBaseSettingsSource):
    """Values from the files that PLEXICA_<FIELD>_FILE name, as container platforms mount secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{PREFIX}{field_name.upper()}_FILE"
        path = os.environ.get(variable)
        try:
            return (Path(path).read_text().strip() if path else None), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{variable}: the file can't be read: {error}") from None

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class Environment(BaseSettings):
    """Base of a topic's fields: field `secret_key` is PLEXICA_SECRET_KEY or the file PLEXICA_SECRET_KEY_FILE."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, _FileSource(settings_cls)


def check_port(url: SplitResult) -> None:
    """Raise ValueError if the port is none; the property checks it when it is read."""
    try:
        url.port  # noqa: B018
    except ValueError:
        raise ValueError("the port must be a number up to 65535") from None


E = TypeVar("E", bound=Environment)


def load(topic: type[E]) -> E:
    """Return the topic's values. Raises ImproperlyConfigured naming every variable that is missing or wrong."""
    try:
        return topic()
    except ValidationError as error:
        faults = [
            f"{PREFIX}{str(fault['loc'][0]).upper() if fault['loc'] else '*'}: {fault['msg']}"
            for fault in error.errors()
        ]
        raise ImproperlyConfigured("Settings from the environment are not right.\n  " + "\n  ".join(faults)) from None
