"""Cancelled requests under contention: are all places of the gateway's pool free again afterwards?

`python -m tests.chaos.churn` starts a gateway with ten connections and sends it 20,000 requests whose clients leave:
before the answer, in its headers, in its middle. Stock httpx does not survive half of that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.scenarios import SCENARIOS
from tests.chaos.server import Chaos
from tests.support.gateway import GatewayProcess

PLACES = 10
_CLIENTS = 20
_PROBES = 100
_PATIENCE_S = 20.0
_KINDS = ("late?ms=20", "pings?n=100&ms=5", "ok?of=20", "stall_after?n=2", "hang")
_MARKS = (b"HTTP/1.1 ", b"\r\n\r\n", b"data: ", b"[DONE]", b"never comes")  # after which of them a client leaves


@dataclass(frozen=True, slots=True)
class Result:
    """What was left. `reached`: requests that came to the provider before their clients had left.

    `probes_answered`: of a hundred, those that were answered 200. `places_free`: those that take a request at once.
    """

    cancelled: int
    reached: int
    seconds: float
    probes_answered: int
    places_free: int


async def churn(port: int, chaos: Chaos, *, count: int, seed: int = 1) -> Result:
    """Cancel `count` requests to a gateway with `PLACES` connections to `chaos`, then look."""
    chance, left, began = random.Random(seed), iter(range(count)), time.monotonic()

    async def client() -> int:
        done = 0
        for _ in left:
            await _leave(port, chance.choice(_KINDS), chance.choice(_MARKS), chance.uniform(0, 0.2))
            done += 1
        return done

    cancelled = sum(await asyncio.gather(*[client() for _ in range(_CLIENTS)]))
    seconds, reached = time.monotonic() - began, len(chaos.records)
    answered = [await _probe(port) for _ in range(_PROBES)].count(200)
    return Result(cancelled, reached, seconds, answered, await _free_places(port, chaos))


async def _leave(port: int, kind: str, mark: bytes, after_s: float) -> None:
    """Ask, and leave with a reset as soon as the mark has come, or after so long."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_request(kind, stream=True))
        await asyncio.wait_for(reader.readuntil(mark), after_s)
    except (TimeoutError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.transport.abort()


async def _probe(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_request("ok", stream=False))
        return int((await asyncio.wait_for(reader.readline(), _PATIENCE_S)).split()[1])
    except TimeoutError:
        return 0
    finally:
        writer.close()


async def _free_places(port: int, chaos: Chaos) -> int:
    """Fill the pool with requests that hang; give how many reach the provider, one more than there are places sent."""
    chaos.reset()
    tasks = [asyncio.open_connection("127.0.0.1", port) for _ in range(PLACES + 1)]
    writers = [writer for _, writer in await asyncio.gather(*tasks)]
    for writer in writers:
        writer.write(_request("hang", stream=False))
    await asyncio.sleep(2.0)
    free = len(chaos.records)
    for writer in writers:
        writer.transport.abort()
    return free


def _request(scenario: str, *, stream: bool) -> bytes:
    document = {"model": f"chaos/{scenario}", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    body = json.dumps(document).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nx-toolfunnel-tools: off\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.churn", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    count = parser.parse_args().count
    chaos = Chaos(SCENARIOS).start()
    with tempfile.TemporaryDirectory() as directory:
        settings = {"UPSTREAM__BASE_URL": chaos.base_url, "UPSTREAM__MAX_CONNECTIONS": str(PLACES)}
        gateway = GatewayProcess.start(Path(directory), settings)
        try:
            result = asyncio.run(churn(gateway.port, chaos, count=count))
        finally:
            gateway.stop()
            chaos.stop()
    sys.stdout.write(f"{result}\n")
    sys.exit(result.probes_answered < _PROBES or result.places_free != PLACES)


if __name__ == "__main__":
    main()
