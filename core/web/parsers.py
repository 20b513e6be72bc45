"""Reads bodies of the API."""

import json
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError
from rest_framework.utils.json import strict_constant


class JSONParser(parsers.JSONParser):
    """Reads JSON as RFC 8259 has it, without NaN. A name that stands twice is refused: one value would be left aside."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return json.loads(stream.read(), parse_constant=strict_constant, object_pairs_hook=_once_each)
        except RecursionError:
            raise ParseError(_("The JSON is nested too deeply.")) from None
        except ValueError as fault:
            raise ParseError(_("This is no JSON: %(fault)s.") % {"fault": fault}) from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in pairs:
        if name in read:
            raise ParseError(_("The name “%(name)s” stands twice in one object.") % {"name": name[:80]})
        read[name] = value
    return read
