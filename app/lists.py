"""Clients' tool lists, read once for all requests that carry the same bytes."""

from __future__ import annotations

import hashlib
import time

import xxhash

from app.wire import chat
from router.catalog import EMPTY, Catalog
from router.deadline import Check, never
from router.errors import OutOfTime
from router.memory import Lru

_LISTS = 256
_MAX_KEPT_BYTES = 4 * 2**20
_GIVEN_UP = 1_024  # lists that took too long to read, by their hashes
_GIVEN_UP_S = 60.0


class Lists:
    """Remembers lists. Thread-safe.

    All callers share what was read, and somebody may look for two lists with one hash: the bytes decide.
    """

    def __init__(self) -> None:
        self._read: Lru[tuple[str, bytes], tuple[bytes, Catalog]] = Lru(_LISTS)
        self._by_beginning: Lru[bytes, bytes] = Lru(_LISTS)
        self._given_up: Lru[tuple[str, bytes], float] = Lru(_GIVEN_UP)

    def parse(self, body: bytes, most: int = chat.MAX_ELEMENTS, check: Check = never) -> chat.ChatRequest:
        """Read a body of `most` elements; a long list that it has in common with an earlier one is not read again.

        Raises:
            Unreadable: See `chat.parse`.
            AmbiguousBody: See `chat.parse`.
            OutOfTime: As `check` does.
        """
        known = self._by_beginning.get(chat.beginning(body))
        request = chat.parse_known(body, known, most, check) if known is not None else None
        return request or chat.parse(body, most, check)

    def known(self, request: chat.ChatRequest) -> Catalog | None:
        """Give a request's own list if it was read before."""
        if request.tools is None:
            return EMPTY
        tools, own = self._read.get(_key(request)) or (b"", None)
        return own if tools == request.tools else None

    def read(self, request: chat.ChatRequest, check: Check = never) -> Catalog:
        """Give a request's own list.

        Raises:
            Unreadable: An entry is malformed.
            OutOfTime: As `check` does, now or a while ago: a list that takes too long is not tried at every request.
        """
        own = self.known(request)
        if own is None:
            tools, key = request.tools or b"", _key(request)
            if (self._given_up.get(key) or 0.0) > time.monotonic():
                raise OutOfTime("the tool list took too long to read a while ago")
            version = f"{request.list_key}:{hashlib.blake2b(tools, digest_size=16).hexdigest()}"
            try:
                own = Catalog.build(version, chat.read_tools(request, check), check=check)
            except OutOfTime:
                self._given_up.put(key, time.monotonic() + _GIVEN_UP_S)
                raise
            if len(tools) <= _MAX_KEPT_BYTES:
                self._read.put(key, (tools, own))
                if beginning := chat.beginning(request.body):
                    self._by_beginning.put(beginning, tools)
        return own


def _key(request: chat.ChatRequest) -> tuple[str, bytes]:
    return request.list_key, xxhash.xxh3_128_digest(request.tools or b"")
