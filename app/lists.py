"""Clients' tool lists, read once for all requests that carry the same bytes."""

from __future__ import annotations

import hashlib

import xxhash

from app.wire import chat
from router.catalog import EMPTY, Catalog
from router.memory import Lru

_LISTS = 256
_MAX_KEPT_BYTES = 4 * 2**20


class Lists:
    """Remembers lists. Thread-safe.

    All callers share what was read, and somebody may look for two lists with one hash: the bytes decide.
    """

    def __init__(self) -> None:
        self._read: Lru[tuple[str, bytes], tuple[bytes, Catalog]] = Lru(_LISTS)
        self._by_beginning: Lru[bytes, bytes] = Lru(_LISTS)

    def parse(self, body: bytes) -> chat.ChatRequest:
        """Read a body; a long list that it has in common with an earlier one is not read again.

        Raises:
            Unreadable: See `chat.parse`.
            AmbiguousBody: See `chat.parse`.
        """
        known = self._by_beginning.get(chat.beginning(body))
        request = chat.parse_known(body, known) if known is not None else None
        return request or chat.parse(body)

    def known(self, request: chat.ChatRequest) -> Catalog | None:
        """Give a request's own list if it was read before."""
        if request.tools is None:
            return EMPTY
        tools, own = self._read.get(_key(request)) or (b"", None)
        return own if tools == request.tools else None

    def read(self, request: chat.ChatRequest) -> Catalog:
        """Give a request's own list.

        Raises:
            Unreadable: An entry is malformed.
        """
        own = self.known(request)
        if own is None:
            tools = request.tools or b""
            version = f"{request.list_key}:{hashlib.blake2b(tools, digest_size=16).hexdigest()}"
            own = Catalog.build(version, chat.read_tools(request))
            if len(tools) <= _MAX_KEPT_BYTES:
                self._read.put(_key(request), (tools, own))
                if beginning := chat.beginning(request.body):
                    self._by_beginning.put(beginning, tools)
        return own


def _key(request: chat.ChatRequest) -> tuple[str, bytes]:
    return request.list_key, xxhash.xxh3_128_digest(request.tools or b"")
