"""Redaction: what lines lose, and what they keep."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog

from app.callers import form
from app.settings import LogFormat, LogSettings, Settings, UpstreamSettings
from app.settings.secret import secrets_of
from app.telemetry import configure_logging
from app.telemetry.logs import request_id
from app.telemetry.redact import Redaction, explain_error, place

SECRET = "p@ss/wörd+of?mine"


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers = root.handlers
    yield
    root.handlers = handlers
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "form",
    [SECRET, quote(SECRET, safe=""), *(base64.b64encode(b"x" * n + SECRET.encode()).decode() for n in range(4))],
)
def test_a_known_secret_is_masked_in_every_form(form: str) -> None:
    """As it is, in a URL, and in base64 at any offset."""
    shown = Redaction([SECRET]).text(f"before {form} after")
    assert "***" in shown
    assert form not in shown
    assert shown.startswith("before ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("no sk-proj-12345 here", "no *** here"),
        ("no nvapi-0123456789abcdefAB, ghp_0123456789abcdefABCD or csk-0123456789abcdefg", "no ***, *** or ***"),
        ("GET /v1/x?api-key=abc&b=c", "GET /v1/x?api-key=***&b=c"),
        ("to https://user:pass@host/path", "to https://***@host/path"),
        ("at http://host/path?sas=abc", "at http://host/path?***"),
        ("12 tools, task-12345, keyboard", "12 tools, task-12345, keyboard"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, shown: str) -> None:
    """Bearer tokens, keys by their form, parameters by their name; other text stays."""
    assert Redaction().text(text) == shown


OWN = form.make()[1]
FOREIGN = "sk-proj-0123456789abcdefABCDEF"


def disguises(key: str) -> list[str]:
    """Give a key as somebody might write it: changed, amid other text, or encoded."""
    data = key.encode()
    coded = [base64.b64encode(b" " * skip + data).decode() for skip in range(3)]
    percent = "".join(f"%{byte:02x}" for byte in data)
    plain = [key, key.upper(), f"req-{key}", f"req_{key}", f"a.{key}:b", key[:30]]
    return [*plain, *coded, base64.urlsafe_b64encode(data).decode(), data.hex(), percent, quote(percent), key[:40]]


@pytest.mark.parametrize("key", [OWN, FOREIGN], ids=["own", "foreign"])
def test_a_key_is_known_by_its_form_in_every_disguise(key: str) -> None:
    """In a text and as a request's id, also of keys that nobody configured."""
    for shown in disguises(key):
        line = Redaction()(None, "info", {"event": "chat", "failure": shown})
        assert shown not in str(line)
        assert request_id([(b"x-request-id", shown.encode())]) != shown


def test_our_own_key_is_known_without_its_first_word() -> None:
    """An id and a secret are enough to be a key."""
    assert request_id([(b"x-request-id", OWN[4:].encode())]) != OWN[4:]


@pytest.mark.parametrize(
    "word",
    [
        *("0f8fad5b-d9cb-469f-a165-70867728950e", "4e29b0a1" * 8, "4E29B0A1" * 4, "req_7a3f", "chatcmpl-AbC123dEf456"),
        *("01ARZ3NDEKTSV4RRFFQ69G5FAV", "V1StGXR8_Z5jdHi6B-myT", "task-12345", "disk_usage_total", "a" * 128, "x-1"),
        "Root=1-67891233-abcdef012345678912345678".replace("=", ":"),
    ],
)
def test_what_is_no_key_stays(word: str) -> None:
    """Ids as they are common are kept, and so are words that only look a little like keys."""
    assert request_id([(b"x-request-id", word.encode())]) == word
    assert Redaction().text(word) == word


def test_a_long_text_is_cut() -> None:
    """Patterns see no more of it than takes a moment."""
    assert len(Redaction().text("a-" * 10**6 + "=")) < 20_000


def test_values_of_private_names_are_masked_at_any_depth() -> None:
    """Headers, bodies and keys are stars, whatever they hold; figures stay figures."""
    line = Redaction()(
        None, "info", {"headers": 1, "x": {"Api-Key": "a", "n": [1, None, b"Bearer abc"]}, "_r": line_of}
    )
    assert line == {"headers": "***", "x": {"Api-Key": "***", "n": [1, None, "b'Bearer ***'"]}, "_r": line_of}


def line_of() -> None:
    """Be a value that is nobody's to change."""


def test_an_error_is_told_without_its_text() -> None:
    """Kinds, places and causes stay; what an error says may quote a request."""
    try:
        try:
            dict[str, int]()["Canary"]
        except KeyError as error:
            raise ValueError("Canary") from error
    except ValueError:
        line = explain_error(None, "error", {"exc_info": True})
    assert "Canary" not in str(line)
    kinds = [text for text in line["exception"].splitlines() if not text.startswith(" ")]
    assert kinds == ["builtins.ValueError", "builtins.KeyError"]
    assert "tests/unit/app/test_redact.py" in line["exception"]


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize("form", list(LogFormat))
def test_lines_of_libraries_are_redacted_too(capsys: pytest.CaptureFixture[str], form: LogFormat) -> None:
    """A library's warning has the form of the others and loses the same; what it says at debug is not written."""
    configure_logging(LogSettings(level="debug", format=form), ["configured-secret"])
    try:
        Path("/Canary/Canary").read_bytes()
    except OSError:
        logging.getLogger("aiohttp.client").exception("sent %s with %s", "Bearer abc", "configured-secret")
    logging.getLogger("httpx").debug("Canary")
    shown = capsys.readouterr().err
    assert "sent Bearer *** with ***" in shown
    assert "Canary" not in shown
    assert "builtins.FileNotFoundError No such file or directory" in shown
    assert form is LogFormat.CONSOLE or json.loads(shown)["level"] == "error"


@pytest.mark.usefixtures("logging_restored")
def test_an_answer_cut_off_at_the_end_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """What the server says about tasks that it cancelled itself is not repeated."""
    configure_logging(LogSettings())
    logging.getLogger("uvicorn.error").error("Exception", exc_info=asyncio.CancelledError())
    assert capsys.readouterr().err == ""


def test_every_secret_of_the_settings_is_known() -> None:
    """Wherever in the settings a secret stands, it is found."""
    settings = Settings.model_validate(
        {
            "upstream": UpstreamSettings.model_validate({"api_key": "a-secret"}),
            "admin": {"key": "b-secret"},
            "encoder": {"kind": "endpoint", "base_url": "http://x/v1", "model": "m", "dimension": 8, "api_key": "c"},
        }
    )
    assert sorted(secrets_of(settings)) == ["a-secret", "b-secret", "c"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@host:8/compatible-mode/v1?key=x", "https://host:8/compatible-mode/v1"),
        ("http://[::1]:8/v1beta2/", "http://[::1]:8/v1beta2/"),
        ("https://host", "https://host"),
        ("https://host/v1/Canary7F3/0123456789abcdef/openai", "https://host/v1/…/…/openai"),
        ("https://host/thisisaverylongsecretofletters/v1", "https://host/…/v1"),
        ("", ""),
    ],
)
def test_address_is_shown_with_the_plain_words_of_its_path(url: str, shown: str) -> None:
    """A missing /v1 can be seen; no user, no query, and nothing that could be a secret."""
    assert place(url) == shown


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([(b"x-request-id", b"a-1.b:c_d")], True),
        ([(b"x-request-id", b"x" * 128)], True),
        ([(b"x-request-id", b"x" * 129)], False),
        ([(b"x-request-id", b"")], False),
        ([(b"x-request-id", b"a b")], False),
        ([(b"x-request-id", b"a"), (b"x-request-id", b"b")], False),
        ([(b"x-request-id", b"secret"), (b"authorization", b"Bearer secret")], False),
        ([(b"x-request-id", b"sk-12345")], False),
        ([], False),
    ],
)
def test_a_clients_id_is_kept_when_it_may_stand_in_a_log(headers: list[tuple[bytes, bytes]], kept: bool) -> None:
    """Short, plain, once, and no part of a credential; else one is made."""
    made = request_id(headers)
    assert (made.encode() in [value for _, value in headers]) is kept
    assert kept or len(made) == 32
