"""Ten times as many requests as the gateway can have answered: `python -m tests.load.overload --seconds 30`.

The gateway takes so many requests at once, and each takes its provider a tenth of a second: that is its capacity. Then
ten times as many are sent, at an even pace and over connections of their own, whether or not others were answered.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from dataclasses import dataclass, field
from itertools import count

from tests.load import mix
from tests.load.soak import served
from tests.support import sockets

PLACES = 6
_ANSWER_S = 0.1
CAPACITY = PLACES / _ANSWER_S
_SLOW = mix.Kind(f"late?ms={_ANSWER_S * 1e3:.0f}")
RECOVERY_S = 10.0


@dataclass
class Result:
    """What became of the requests: seconds until each was answered, and until the next was again."""

    seconds: float
    answered: list[float] = field(default_factory=list)
    shed: list[float] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    recovered_s: float = 0.0

    @property
    def goodput(self) -> float:
        """Answers a second, as a share of what was possible."""
        return len(self.answered) / self.seconds / CAPACITY

    def __str__(self) -> str:
        shed = ", ".join(f"p{share * 100:g} {_percentile(self.shed, share) * 1e3:.1f} ms" for share in (0.5, 0.99, 1))
        return (
            f"{len(self.answered)} answered ({self.goodput:.0%} of capacity), {len(self.shed)} shed after {shed}, "
            f"{len(self.others)} others {self.others[:3]}; all answered again after {self.recovered_s:.1f} s"
        )


async def overload(port: int, seconds: float, times: float = 10.0) -> Result:
    """Send `times` what is possible for so long, then see how long it takes until a second of requests is answered."""
    result, chance, began = Result(seconds), random.Random(1), time.perf_counter()
    running: set[asyncio.Task[None]] = set()
    for number in count():
        wait = began + number / (times * CAPACITY) - time.perf_counter()
        if number / (times * CAPACITY) >= seconds:
            break
        await asyncio.sleep(max(0.0, wait))
        running.add(task := asyncio.create_task(_ask(port, result, chance)))
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    over = time.perf_counter()
    while time.perf_counter() - over < RECOVERY_S:
        after = Result(1.0)
        result.recovered_s = time.perf_counter() - over
        for _ in range(10):
            await _ask(port, after, chance)
        if len(after.answered) == 10:
            return result
    result.recovered_s = RECOVERY_S
    return result


async def _ask(port: int, result: Result, chance: random.Random) -> None:
    began = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_SLOW.written(chance, 0.0))
        status, headers = sockets.parsed(await reader.readuntil(b"\r\n\r\n"))
        took = time.perf_counter() - began
        await reader.readexactly(int(headers["content-length"]))
        writer.close()
    except (OSError, asyncio.IncompleteReadError) as error:
        result.others.append(repr(error))
        return
    if status == 200:
        result.answered.append(took)
    elif status == 503 and headers.get("retry-after") == "1":
        result.shed.append(took)
    else:
        result.others.append(f"{status} {headers}")


def _percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(int(len(times) * share), len(times) - 1)] if times else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    with served(1, SERVER__MAX_REQUESTS=str(PLACES)) as (gateway, _):
        result = asyncio.run(overload(gateway.port, parser.parse_args().seconds))
    sys.stdout.write(f"overload: {result}\n")
    sys.exit(bool(result.others) or result.goodput < 0.8 or _percentile(result.shed, 0.99) > 0.05)


if __name__ == "__main__":
    main()
