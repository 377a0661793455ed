"""The faults that may depend on timing, many times over: `python -m tests.chaos.loops --count 500`.

Prints how many answers there were of each kind, and how many said what they must not. The last kind takes twenty times
as many.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.chaos.asking import answered, broken_answer, unchunked
from tests.chaos.scenarios import COMPLETION, SCENARIOS, event, scrambled
from tests.chaos.server import Chaos
from tests.support.gateway import GatewayProcess

_EVENTS = [b"".join(event(number) for number in range(count)) for count in range(51)]


def _body(gateway: GatewayProcess, number: int, scenario: str) -> bool:
    """Whether a broken body looks broken."""
    sent = number % len(COMPLETION)
    head, body = broken_answer(gateway.port, f"{scenario}?n={sent}", stream=False)
    return b" 200 " in head and COMPLETION[:sent].startswith(body)


def _stream(gateway: GatewayProcess, number: int, scenario: str) -> bool:
    """Whether a stream that breaks at every event in turn is broken off; in order, not one byte of it is lost."""
    sent = number % 50
    _, body = broken_answer(gateway.port, f"{scenario}?n={sent}", stream=True)
    events, whole = unchunked(body)
    complete = scenario.startswith("rst") or events == _EVENTS[sent]
    return not whole and complete and _EVENTS[sent].startswith(events)


def _before(gateway: GatewayProcess, number: int, scenario: str) -> bool:
    """Whether an answer that never comes is a 502."""
    return answered(gateway.port, f"{scenario}?n={number}", stream=False)[0] == 502


def _split(gateway: GatewayProcess, number: int, scenario: str) -> bool:
    """Whether a stream arrives as it was sent."""
    _, _, body = answered(gateway.port, f"{scenario}?seed={number}", stream=True)
    return unchunked(body)[0] == b"".join(scrambled(number))


_Check = Callable[[GatewayProcess, int, str], bool]
_LOOPS: dict[str, tuple[_Check, int]] = {
    "rst_before_headers": (_before, 1),
    "fin_before_headers": (_before, 1),
    "rst_mid_body": (_body, 1),
    "fin_mid_body": (_body, 1),
    "rst_mid_stream": (_stream, 1),
    "fin_no_terminator": (_stream, 1),
    "split_everywhere": (_split, 20),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.loops", description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    count, wrong = parser.parse_args().count, 0
    chaos = Chaos(SCENARIOS).start()
    with tempfile.TemporaryDirectory() as directory:
        gateway = GatewayProcess.start(Path(directory), {"UPSTREAM__BASE_URL": chaos.base_url})
        try:
            for scenario, (check, fold) in _LOOPS.items():
                chaos.reset()
                failed = [check(gateway, number, scenario) for number in range(count * fold)].count(False)
                sys.stdout.write(f"{scenario}: {count * fold} answers, {failed} wrong, {len(chaos.records)} attempts\n")
                sys.stdout.flush()
                wrong += failed + abs(len(chaos.records) - count * fold)
        finally:
            gateway.stop()
            chaos.stop()
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
