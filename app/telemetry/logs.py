"""Lines on standard error: the gateway's own and those of the libraries in it, in one form, redacted."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import sys
from collections.abc import Iterable
from typing import TextIO

import msgspec
import structlog

from app.credentials import Headers
from app.settings import LogFormat, LogSettings
from app.telemetry.redact import Redaction, explain_error, looks_secret

_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")
_WORD = re.compile(r"[^\s\"'=]*")
_CREDENTIALS = frozenset({b"authorization", b"api-key", b"x-api-key", b"cookie"})


class BrokenOff(Exception):
    """An answer could not be finished: the connection is closed without its end, so that it never looks whole."""


class _WithoutBrokenOff(logging.Filter):
    """Keeps the server from reporting an answer that was broken off on purpose, or when the grace period ended."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, BrokenOff | asyncio.CancelledError)


class _Lines(logging.StreamHandler[TextIO]):
    """Writes the lines of libraries to where standard error is now."""

    @property
    def stream(self) -> TextIO:
        """Give standard error."""
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """Leave it at that."""


def configure_logging(settings: LogSettings, secrets: Iterable[str] = ()) -> None:
    """Send structured lines to standard error; none of them holds one of `secrets`.

    Libraries say warnings and errors only, whatever the level: what they tell at `debug` is headers and addresses.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        explain_error,
        Redaction(secrets),
    ]
    renderer = _renderer(settings.format)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(shared, renderer)


def _renderer(form: LogFormat) -> structlog.typing.Processor:
    """Give what writes a line. Columns and colours take five times as long: they are for a terminal."""
    if form is LogFormat.JSON:
        return structlog.processors.JSONRenderer(_json)
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer()
    return _plain


def _plain(_: structlog.typing.WrappedLogger, __: str, line: structlog.typing.EventDict) -> str:
    exception = line.pop("exception", None)
    begin = f"{line.pop('timestamp')} {line.pop('level'):<7} {line.pop('event')}"
    text = " ".join([begin, *(f"{name}={_word(value)}" for name, value in line.items())])
    return f"{text}\n{exception}" if exception else text


def _word(value: object) -> str:
    text = str(value)
    return text if isinstance(value, int | float) or _WORD.fullmatch(text) else repr(text)


def _json(line: structlog.typing.EventDict, **_: object) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()


def request_id(headers: Headers) -> str:
    """Give the id of a request: the client's own if it is a sane one that no credential holds; else one is made."""
    shown = [value for name, value in headers if name == b"x-request-id"]
    if len(shown) == 1 and sane_id(shown[0]):
        credentials = (value for name, value in headers if name in _CREDENTIALS)
        if not any(shown[0] in value for value in credentials):
            return shown[0].decode()
    return secrets.token_hex(16)


def sane_id(value: bytes) -> bool:
    """Tell whether an id is short, plain, and does not look like a key: such a one may stand in a log."""
    return _ID.fullmatch(value) is not None and not looks_secret(value.decode())


def _configure_libraries(shared: list[structlog.typing.Processor], renderer: structlog.typing.Processor) -> None:
    handler = _Lines()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            keep_exc_info=False,
        )
    )
    root = logging.getLogger()
    root.handlers = [*(known for known in root.handlers if not isinstance(known, _Lines)), handler]
    server = logging.getLogger("uvicorn.error")
    if not any(isinstance(known, _WithoutBrokenOff) for known in server.filters):
        server.addFilter(_WithoutBrokenOff())
