"""Addresses that hold credentials, as hosts hand them out: taken apart, so that what is kept in the open holds none."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

_SECRET_NAME = re.compile(r"(?i).*(key|token|secret|passw|pwd|auth|signature|credential)|sig|sign|code")
_POSTGRES = {"postgresql": "postgresql", "postgres": "postgresql", "postgresql+psycopg": "postgresql+psycopg"}
_FORM = "url is sqlite:///path or postgresql://user:password@host:5432/database"


def shown(url: str) -> str:
    """Return a URL for people: without user name and password, values of a query that sound secret as stars."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "***"
    if not parts.scheme or not parts.netloc:
        return url if "@" not in url else "***"
    query = "&".join(_masked(pair) for pair in parts.query.split("&")) if parts.query else ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query).geturl()


def has_user(url: str) -> bool:
    """Return whether a URL holds a user name or password, however broken the rest of it is."""
    return re.match(r"[^/\\?#]*[/\\]{2}[^/\\?#]*@", url) is not None


def database_url(url: str) -> tuple[str, str | None]:
    """Return the URL of a database without its password, and the password, decoded; None where it holds none.

    `postgres://`, as some hosts write it, becomes `postgresql://`.

    Raises:
        ValueError: It is of another form. The text repeats nothing of it.
    """
    if url.startswith("sqlite:///"):
        if "?" in url:
            raise ValueError("in url, sqlite:///path ends with the file: it has no password and no options behind a ?")
        return url, None
    parts = _split(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    given = [unquote(value) for name, value in _query(parts) if name == "password"]
    netloc = f"{user}@{parts.netloc.rpartition('@')[2]}" if user else parts.netloc.rpartition("@")[2]
    plain = f"{_POSTGRES[parts.scheme]}://{netloc}{parts.path}"
    query = "&".join(f"{name}={value}" for name, value in _query(parts) if name != "password")
    secret = given[-1] if given else unquote(password)
    return plain + (f"?{query}" if query else ""), secret or None


def _split(url: str) -> SplitResult:
    """Return the parts of a PostgreSQL URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(_FORM) from None
    if parts.scheme not in _POSTGRES:
        raise ValueError(_FORM)
    if "@" in parts.path + parts.query or "#" in url:
        # Such as user:pa/ss@host: what is taken for a path would be printed, and is half a password.
        raise ValueError("in url, / ? # and @ of a user name or password are written %2F, %3F, %23 and %40")
    if "," in parts.netloc.rpartition("@")[2]:
        raise ValueError("in url, several hosts: name the one that takes changes, or what stands before them all")
    if not _has_a_port(parts):
        raise ValueError("in url, the port is not a number up to 65535")
    if not parts.path.strip("/"):
        raise ValueError(f"{_FORM}: the database is missing")
    if any(name == "sslpassword" for name, _ in _query(parts)):
        raise ValueError("sslpassword in url would be printed: name a client key that needs none")
    return parts


def _query(parts: SplitResult) -> list[tuple[str, str]]:
    """Return names, decoded, and values, as they are: a plus is a plus, as libpq has it."""
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    return [(unquote(name), value) for name, _, value in pairs]


def _has_a_port(parts: SplitResult) -> bool:
    """Return whether what is in the port's place is a port, or nothing is."""
    try:
        return parts.port is None or parts.port >= 0
    except ValueError:
        return False


def _masked(pair: str) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}=***" if value and _SECRET_NAME.fullmatch(unquote(name)) else name + equals + value
