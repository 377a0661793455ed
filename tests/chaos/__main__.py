"""`python -m tests.chaos`: serve until Ctrl-C. `GET /chaos/records` tells what came."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import inspect
import sys

from tests.chaos.scenarios import SCENARIOS
from tests.chaos.server import Chaos


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    arguments = parser.parse_args()
    if arguments.list:
        sys.stdout.writelines(f"chaos/{name:20} {inspect.getdoc(play)}\n" for name, play in SCENARIOS.items())
        return
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(arguments.port))


async def _serve(port: int) -> None:
    chaos = Chaos(SCENARIOS, port=port)
    server = await chaos.listen()
    sys.stdout.write(f"base_url: {chaos.base_url}\n")
    sys.stdout.flush()
    await server.serve_forever()


main()
