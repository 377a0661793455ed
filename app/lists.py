"""Clients' tool lists, read once for all requests that carry the same bytes."""

from __future__ import annotations

import hashlib
import time
from sys import getsizeof

import xxhash

from app.wire import chat, turns
from router import footprint
from router.catalog import EMPTY, Catalog
from router.deadline import Check, never
from router.errors import OutOfTime
from router.memory import Lru

_GIVEN_UP_S = 60.0  # so long a list that took too long to read is not read again
_LEAST_TOOL_BYTES = 500

_Key = tuple[str, bytes]
_Entry = tuple[bytes, Catalog]
_NOTHING = b"", None


class Lists:
    """Remembers lists, bounded in bytes. Thread-safe.

    All callers share what was read, and somebody may look for two lists with one hash: the bytes decide.
    """

    def __init__(self, most_bytes: int) -> None:
        few = most_bytes // 32
        self._read: Lru[_Key, _Entry] = Lru(most_bytes - 3 * few, _size)
        self._turns = turns.Memory(few)
        self._by_beginning: Lru[bytes, _Key] = Lru(few, lambda beginning, _: getsizeof(beginning) + 256)
        self._given_up: Lru[_Key, float] = Lru(few, lambda key, _: getsizeof(key[1]) + 128)

    @property
    def used_bytes(self) -> int:
        """What it holds."""
        lists = self._read.used_bytes + self._by_beginning.used_bytes + self._given_up.used_bytes
        return lists + self._turns.found.used_bytes

    def parse(self, body: bytes, most: int = chat.MAX_ELEMENTS, check: Check = never) -> chat.ChatRequest:
        """Read a body of `most` elements; a long list that it has in common with an earlier one is not read again.

        Raises:
            Unreadable: See `chat.parse`.
            AmbiguousBody: See `chat.parse`.
            OutOfTime: As `check` does.
        """
        key = self._by_beginning.get(chat.beginning(body))
        entry = self._read.get(key) if key is not None else None
        request = chat.parse_known(body, entry[0], most, check, self._turns) if entry is not None else None
        return request or chat.parse(body, most, check, self._turns)

    def known(self, request: chat.ChatRequest) -> Catalog | None:
        """Give a request's own list if it was read before."""
        if request.tools is None:
            return EMPTY
        key = self._by_beginning.get(chat.beginning(request.body))
        if key is not None and key[0] == request.list_key:
            tools, own = self._read.get(key) or _NOTHING
            if tools is request.tools:  # as `parse` found it: nothing need be hashed and compared
                return own
        tools, own = self._read.get(_key(request)) or _NOTHING
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
            if len(tools) + len(own) * _LEAST_TOOL_BYTES <= self._read.largest_bytes:  # it is not counted in vain
                self._read.put(key, (tools, own))
                if beginning := chat.beginning(request.body):
                    self._by_beginning.put(beginning, key)
        return own


def _key(request: chat.ChatRequest) -> _Key:
    return request.list_key, xxhash.xxh3_128_digest(request.tools or b"")


def _size(key: _Key, entry: _Entry) -> int:
    return footprint.texts((*key, entry[0])) + footprint.of_catalog(entry[1]) + 128
