"""Reads the mails that Django's file backend wrote: several in one file, each ended by a line of dashes."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings

END = b"\n" + b"-" * 79 + b"\n"
NEWEST = 200  # files that are looked at


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, as its reader would see it."""

    key: str
    sender: str
    to: str
    subject: str
    sent_at: datetime
    text: str
    html: str


def list_mails() -> list[Mail]:
    """Return the newest mails, newest first."""
    files = sorted(_folder().glob("*.log"), key=lambda file: file.stat().st_mtime, reverse=True)[:NEWEST]
    found = [mail for file in files for mail in _mails_in(file)]
    return sorted(found, key=lambda mail: (mail.sent_at, mail.key), reverse=True)


def find_mail(key: str) -> Mail | None:
    """Return one of the newest mails, or None."""
    return next((mail for mail in list_mails() if mail.key == key), None)


def _folder() -> Path:
    return Path(getattr(settings, "EMAIL_FILE_PATH", None) or "/nowhere")


def _mails_in(file: Path) -> Iterator[Mail]:
    for number, raw in enumerate(file.read_bytes().split(END)[:-1]):  # what follows the last line is being written
        message = email.message_from_bytes(raw.lstrip(b"\n"), policy=email.policy.default)
        yield Mail(
            key=f"{file.stem}-{number}",
            sender=str(message["From"] or ""),
            to=str(message["To"] or ""),
            subject=str(message["Subject"] or ""),
            sent_at=_date_of(message) or datetime.fromtimestamp(file.stat().st_mtime, UTC),
            text=_part(message, "plain"),
            html=_part(message, "html"),
        )


def _date_of(message: EmailMessage) -> datetime | None:
    found = getattr(message["Date"], "datetime", None)
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part else ""
