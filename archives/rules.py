"""What becomes of each of a tenant's tables in an archive: `settings.ARCHIVE_TABLES` says it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class Mask(Enum):
    """How a column's texts are replaced in a masked archive. Equal texts become equal ones, so that rows still match."""

    PLAIN = "plain"  # says nothing about anybody: stays
    NAME = "name"
    EMAIL = "email"
    TEXT = "text"
    PASSWORD = "password"  # noqa: S105 - becomes one that fits nothing
    JSON = "json"
    SLUG_OF_OWN = "slug_of_own"  # a role's name and label: built-in ones stay
    LABEL_OF_OWN = "label_of_own"


@dataclass(frozen=True, slots=True)
class Carried:
    """The rows travel. `columns` has every column that holds texts; `anew` are left out and get this value when restored."""

    columns: Mapping[str, Mask]
    anew: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The rows stay where they are: worthless or dangerous elsewhere."""

    why: str


Rule = Carried | LeftOut
