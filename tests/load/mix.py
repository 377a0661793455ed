"""Requests of every kind, as raw bytes over a socket: answered, failed, refused, left; and what must come of each."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tests.chaos.asking import question
from tests.support import sockets, tools

_PATIENCE_S = 30.0
_QUESTIONS = ("list exams", "share a contract with a colleague", "heat the home", "你好", "archive the invoice of May")
_OWN = [tools.distinct(40, prefix=f"own{number}_") for number in range(8)]
_BROKEN = "broken"
_LEFT = "left"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request.

    `expected`: the status of a whole answer, `broken` for one that was broken off, or both. `leave`: after which bytes
    the client leaves, '' for at once, None to stay. `own`: it brings tools. `odd`: what is wrong with the request.
    """

    scenario: str = "ok"
    share: int = 1
    stream: bool = False
    expected: tuple[int | str, ...] = (200,)
    leave: bytes | None = None
    own: bool = False
    odd: str = ""
    target: str = "/v1/chat/completions"

    @property
    def name(self) -> str:
        """Say it in a word or two."""
        left = "" if self.leave is None else f", left after {self.leave.decode().strip() or 'the request'}"
        return f"{self.odd or self.scenario}{' streaming' if self.stream else ''}{' with tools' * self.own}{left}"

    def body(self, chance: random.Random, novel: float) -> bytes:
        """Write the request's body; this share of all asks what nobody asked before."""
        value = question(self.scenario, stream=self.stream)
        said = chance.choice(_QUESTIONS)
        value["messages"] = [tools.user(said if chance.random() >= novel else f"{said} of {chance.randrange(10**6)}")]
        if self.own:
            value["tools"] = chance.choice(_OWN)
        return tools.encoded(value)

    def written(self, chance: random.Random, novel: float) -> bytes:
        """Write the whole request."""
        body = self.body(chance, novel)
        headers = [
            ("authorization", f"Bearer sk-caller-{chance.randrange(1000)}"),
            ("content-type", "application/json"),
        ]
        if self.odd == "packed":
            return sockets.request(gzip.compress(body, 1), headers=[*headers, ("content-encoding", "gzip")])
        if self.odd == "half a body":
            return sockets.request(body[:30], headers=headers, length=len(body))
        if self.odd == "half a head":
            return sockets.request(body, headers=headers)[:40]
        if self.odd in _ODD:
            return _ODD[self.odd]
        return sockets.request(body, headers=headers, target=self.target)


_ODD = {
    "two tool lists of one name": sockets.request(b'{"messages": [], "tools": [], "tools": []}'),
    "not JSON": sockets.request(b'{"messages": '),
    "a path that climbs": sockets.request(b"{}", target="/v1/../admin"),
    "an unknown path": sockets.request(b"{}", target="/nowhere"),
    "a bad option": sockets.request(b"{}", headers=[("x-toolfunnel-k", "0")]),
    "no host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "too large": sockets.request(b"{}", length=2**40),
    "health": sockets.request(method="GET", target="/healthz"),
    "figures": sockets.request(method="GET", target="/metrics"),
}
ANSWERED = (
    Kind("ok", 9, stream=True),
    Kind("ok", 6),
    Kind("ok?of=30", 4, stream=True, own=True),
    Kind("ok", 5, own=True),
    Kind("late?ms=30", 3, stream=True),
    Kind("split_everywhere?seed=3", 1, stream=True),
    Kind("interim", 1),
    Kind("ok", 2, target="/v1/embeddings"),
    Kind("ok", 1, odd="packed", own=True),
    Kind("ok", 1, odd="not JSON"),
    Kind("ok", 1, odd="health"),
)
FAILED = (
    Kind("429", 2, expected=(429,)),
    Kind("5xx", 2, expected=(503,)),
    Kind("html", 1, expected=(502,)),
    Kind("echo_headers", 1, expected=(401,)),
    Kind("status?code=302", 1, expected=(302,)),
    Kind("empty", 1),
    Kind("rst_before_headers", 2, expected=(502,)),
    Kind("fin_before_headers", 2, stream=True, expected=(502,)),
    Kind("rst_mid_body?n=9", 2, expected=(_BROKEN, 502)),
    Kind("fin_mid_body?n=9", 2, expected=(_BROKEN,)),
    Kind("rst_mid_stream", 2, stream=True, expected=(_BROKEN, 502)),
    Kind("fin_no_terminator", 2, stream=True, own=True, expected=(_BROKEN,)),
    Kind("headers?kind=cr", 1, expected=(502,)),
    Kind("headers?kind=long_name", 1, expected=(502,)),
    Kind("upgrade", 1, expected=(502,)),
    Kind("ok", 1, odd="two tool lists of one name", expected=(400,)),
    Kind("ok", 1, odd="a path that climbs", expected=(400,)),
    Kind("ok", 1, odd="an unknown path", expected=(404,)),
    Kind("ok", 1, odd="a bad option", expected=(400,)),
    Kind("ok", 1, odd="no host", expected=(400,)),
    Kind("ok", 1, odd="not HTTP", expected=(400,)),
    Kind("ok", 1, odd="too large", expected=(413,)),
)
LEFT = (
    Kind("hang", 4, expected=(_LEFT,), leave=b""),
    Kind("hang", 3, stream=True, own=True, expected=(_LEFT,), leave=b""),
    Kind("late?ms=20", 2, expected=(_LEFT,), leave=b"HTTP/1.1"),
    Kind("pings?n=1000&ms=10", 3, stream=True, expected=(_LEFT,), leave=b"ping"),
    Kind("stall_after?n=3", 4, stream=True, own=True, expected=(_LEFT,), leave=b"<2>"),
    Kind("ok?of=50", 3, stream=True, expected=(_LEFT,), leave=b"data:"),
    Kind("huge_chunk?mib=1", 1, stream=True, expected=(_LEFT,), leave=b"xxxx"),
    Kind("ok", 2, odd="half a body", expected=(_LEFT,), leave=b""),
    Kind("ok", 1, odd="half a head", expected=(_LEFT,), leave=b""),
)
# They take as long as the gateway waits: a few are enough.
WAITED_FOR = (
    Kind("hang", 1, expected=(504,)),
    Kind("stall_after?n=2", 1, stream=True, expected=(_BROKEN,)),
    Kind("slow_headers?ms=500", 1, expected=(504,)),
)
Groups = Sequence[tuple[Sequence[Kind], float]]
ALL: Groups = ((ANSWERED, 0.497), (FAILED, 0.25), (LEFT, 0.25), (WAITED_FOR, 0.003))


def kinds(count: int, groups: Groups = ALL, seed: int = 1) -> Iterator[Kind]:
    """Give so many kinds by chance; each group has its share of all."""
    chance = random.Random(seed)
    every = [kind for group, _ in groups for kind in group]
    shares = [part * kind.share / sum(one.share for one in group) for group, part in groups for kind in group]
    for _ in range(count):
        yield chance.choices(every, shares)[0]


class Client:
    """One connection at a time; asks for one kind after another."""

    def __init__(self, port: int, seed: int, novel: float) -> None:
        self.port = port
        self._novel = novel
        self.unexpected: list[str] = []
        self._chance = random.Random(seed)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, kind: Kind) -> None:
        """Send a request, and see what comes of it."""
        try:
            outcome = await asyncio.wait_for(self._outcome(kind), _PATIENCE_S)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, ValueError) as error:
            outcome = repr(error)
            self.close()
        if outcome not in kind.expected:
            self.unexpected.append(f"{kind.name}: {outcome}")

    def close(self) -> None:
        """Leave."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _outcome(self, kind: Kind) -> int | str:
        reader, writer = await self._connected()
        writer.write(kind.written(self._chance, self._novel))
        if kind.leave is not None:
            await self._left(reader, kind.leave)
            self.close()
            return _LEFT
        status, headers = sockets.parsed(await reader.readuntil(b"\r\n\r\n"))
        try:
            await _body(reader, status, headers)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()
            return _BROKEN
        if status == 413 or headers.get("connection") == "close":  # a body that was not sent is still owed
            self.close()
        return status

    async def _left(self, reader: asyncio.StreamReader, mark: bytes) -> None:
        """Wait for what comes before the client leaves."""
        if not mark:
            await asyncio.sleep(self._chance.uniform(0, 0.03))
            return
        with suppress(asyncio.LimitOverrunError):  # it came, in a larger piece
            await reader.readuntil(mark)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or self._streams[0].at_eof():
            self.close()
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        return self._streams


async def _body(reader: asyncio.StreamReader, status: int, headers: dict[str, str]) -> None:
    """Read a body to its end.

    Raises:
        asyncio.IncompleteReadError: It broke off.
    """
    if "content-length" in headers:
        await reader.readexactly(int(headers["content-length"]))
    elif status != 204:
        while size := int((await reader.readuntil(b"\r\n"))[:-2], 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)


async def run(port: int, clients: int, wanted: Iterable[Kind], novel: float) -> list[str]:
    """Ask for all kinds, so many clients at once; give what should not have come."""
    waiting = iter(wanted)
    asking = [Client(port, seed, novel) for seed in range(clients)]

    async def one(client: Client) -> None:
        for kind in waiting:
            await client.ask(kind)
        client.close()

    await asyncio.gather(*map(one, asking))
    return [text for client in asking for text in client.unexpected]
