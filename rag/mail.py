"""The text of an e-mail: who, when, about what, and its words; of attachments only the names."""

import email
import email.policy
from collections.abc import Iterator
from datetime import UTC
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from .encodings import decode
from .errors import InputError
from .html import page_text
from .outline import Outline, Outlined

_SHOWN = ("From", "To", "Cc", "Date")
_DEEPEST = 10  # messages within messages


def read_email(name: str, data: bytes) -> Outlined:
    """Text of a message, forwarded ones included; its subject is a heading. Raises InputError."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not any(message[header] for header in (*_SHOWN, "Subject", "Received", "Message-ID")):
        raise InputError(f"{name} is no e-mail: it has neither a sender nor a date; save it as .txt.")
    outline = Outline()
    outline.dated = _day(message)
    _write(name, message, outline, 1)
    return outline.finish()


def _write(name: str, message: EmailMessage, outline: Outline, depth: int) -> None:
    outline.head(depth, _header(message, "Subject") or "No subject")
    shown = ((header, _header(message, header)) for header in _SHOWN)
    outline.add("\n".join(f"{header}: {value}" for header, value in shown if value))
    unread = []
    for part in _leaves(message):
        kind = part.get_content_type()
        if kind == "message/rfc822":
            inner = part.get_payload()
            if depth < _DEEPEST and isinstance(inner, list) and inner and isinstance(inner[0], EmailMessage):
                _write(name, inner[0], outline, depth + 1)
                continue
        if part.is_attachment() or not kind.startswith("text/"):
            unread.append(" ".join(str(part.get_filename() or kind).split()))
            continue
        words = _text(name, part)
        if kind == "text/html":
            outline.embed(*page_text(name, words))
        else:
            outline.add(words)
    if unread:
        outline.remarks.append(f"attachments are not read: {', '.join(unread)}")


def _day(message: EmailMessage) -> str:
    """The day when a message was sent, in UTC, or ""."""
    try:
        sent = parsedate_to_datetime(str(message["Date"]))
        return sent.astimezone(UTC).date().isoformat() if sent.tzinfo else sent.date().isoformat()
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
        return ""


def _leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    """The parts to read in order: of alternatives only the plainest, no pictures of an HTML text."""
    kind = message.get_content_type()
    parts = [part for part in message.iter_parts() if isinstance(part, EmailMessage)] if message.is_multipart() else []
    if kind == "message/rfc822" or not parts:
        yield message
    elif kind == "multipart/alternative":
        plain = [part for part in parts if part.get_content_type() == "text/plain"]
        yield from _leaves((plain or parts)[-1])
    else:
        for part in parts:
            if kind != "multipart/related" or part.get_content_maintype() != "image":
                yield from _leaves(part)


def _text(name: str, part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes) or not payload:
        return ""
    return decode(name, payload, part.get_content_charset())


def _header(message: EmailMessage, header: str) -> str:
    try:
        return " ".join(str(message[header] or "").split())
    except (ValueError, LookupError, AttributeError, IndexError, TypeError):
        return ""  # email's own parser of addresses and dates trips over some that are malformed
