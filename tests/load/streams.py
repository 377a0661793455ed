"""A thousand streams at which nothing happens: `python -m tests.load.streams --count 1000`. Each costs some memory."""

from __future__ import annotations

import argparse
import resource
import sys
from contextlib import ExitStack
from dataclasses import dataclass

from tests.chaos.asking import question
from tests.chaos.scenarios import event
from tests.chaos.server import Chaos
from tests.load.figures import Held, at_rest
from tests.load.soak import served
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient

_KIB = 1024
MOST_KIB = 150.0
LIMITS = {"UPSTREAM__MAX_CONNECTIONS": "2000", "SERVER__MAX_REQUESTS": "2000", "UPSTREAM__IDLE_TIMEOUT_S": "600"}


@dataclass(frozen=True, slots=True)
class Result:
    """What so many streams took, and what was left of them."""

    count: int
    quiet_s: int
    whole: int
    each_kib: float
    files: int
    tasks: int

    def __str__(self) -> str:
        return (
            f"{self.count} streams silent for {self.quiet_s} s: {self.whole} whole, {self.each_kib:.0f} KiB each; "
            f"afterwards {self.files:+} files, {self.tasks:+} tasks"
        )


def idle(gateway: GatewayProcess, chaos: Chaos, count: int, quiet_s: int) -> Result:
    """Open so many streams that fall silent after an event and a comment, and see whether all arrive whole."""
    body = tools.encoded(question(f"pings?n=2&ms={quiet_s * 1000}", stream=True))
    before = at_rest(gateway, chaos)
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(gateway.port)) for _ in range(count)]
        for client in clients:
            client.send(sockets.request(body))
        for client in clients:
            client.receive_until(b"ping")
        during = Held.by(gateway)
        whole = sum(event(0) in client.receive_until(b"0\r\n\r\n") for client in clients)
    after = at_rest(gateway, chaos)
    each_kib = (sum(during.rss_bytes) - sum(before.rss_bytes)) / count / _KIB
    return Result(count, quiet_s, whole, each_kib, after.files_more_than(before), after.tasks - before.tasks)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.streams", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=5)
    arguments, most = parser.parse_args(), resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with served(1, **LIMITS) as (gateway, chaos):
        result = idle(gateway, chaos, arguments.count, arguments.seconds)
    sys.stdout.write(f"{result}\n")
    sys.exit(
        result.whole != arguments.count or result.each_kib > MOST_KIB or abs(result.files) > 2 or abs(result.tasks) > 2
    )


if __name__ == "__main__":
    main()
