"""Measure callers' keys: what a check costs, whether its time tells something, how soon a revoked key is refused.

And what a caller notices of another one's flood. `python -m bench.keys`: a minute. The two gateways share one SQLite
registry.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import httpx

from app.callers import form
from app.callers.ring import Keyring
from app.credentials import Headers
from app.gateway.identify import identify
from app.registry.keys import Key
from app.settings import CallerSettings, Credentials, Settings, UpstreamSettings
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

SAMPLES = 20_000
KEYS = 1_000
REVOKED = 30
ASKED = 500  # requests of the quiet caller, each way
FLOODING = 8  # connections of the other, without a pause
PEPPER = "a-pepper-of-more-than-32-characters"
ADMIN = "the-key-of-the-operator"


def ring_of(count: int) -> tuple[Keyring, list[bytes]]:
    """Make a ring of so many keys."""
    made = [form.make() for _ in range(count)]
    pepper = PEPPER.encode()
    ring = Keyring()
    ring.hold(Key(i, "bench", datetime.now(UTC), digest=form.digest(key.encode(), pepper)) for i, key in made)
    return ring, [key.encode() for _, key in made]


def cost_us(ring: Keyring, keys: list[bytes]) -> tuple[float, float]:
    """Give the median microseconds of a look at the ring, and of all of `identify`."""
    upstream = UpstreamSettings(credentials=Credentials.MANAGED)
    settings = Settings(upstream=upstream, callers=CallerSettings.model_validate({"pepper": PEPPER}))
    pepper = PEPPER.encode()
    looks, whole = [], []
    for number in range(SAMPLES):
        key = keys[number % len(keys)]
        headers: Headers = [(b"host", b"x"), (b"accept", b"*/*"), (b"authorization", b"Bearer " + key)]
        started = time.perf_counter_ns()
        ring.open(key, pepper)
        looked = time.perf_counter_ns()
        identify(headers, settings, ring)
        looks.append(looked - started)
        whole.append(time.perf_counter_ns() - looked)
    return statistics.median(looks) / 1e3, statistics.median(whole) / 1e3


def welch_t(ring: Keyring, keys: list[bytes]) -> float:
    """Compare the times of a known id with a wrong secret, and of an unknown id, drawn in random order.

    As dudect does, the slowest are left out: those were interrupted. Beyond 4.5 the times tell the two apart.
    """
    chance, pepper = random.Random(7), PEPPER.encode()
    strangers = [form.make()[1].encode() for _ in range(KEYS)]
    wrong = [key[:17] + stranger[17:] for key, stranger in zip(keys, strangers, strict=True)]
    times: tuple[list[int], list[int]] = [], []
    gc.disable()
    for number in range(2 * SAMPLES):
        which = chance.randrange(2)
        shown = (wrong, strangers)[which][number % KEYS]
        started = time.perf_counter_ns()
        ring.open(shown, pepper)
        times[which].append(time.perf_counter_ns() - started)
    gc.enable()
    cut = sorted(times[0] + times[1])[int(0.9 * 2 * SAMPLES)]
    left = [[one for one in kind if one <= cut] for kind in times]
    means, spread = [statistics.fmean(kind) for kind in left], [statistics.variance(kind) / len(kind) for kind in left]
    return (means[0] - means[1]) / math.sqrt(sum(spread))


@contextmanager
def two_gateways(place: Path) -> Iterator[tuple[GatewayProcess, GatewayProcess]]:
    """Run them in managed mode."""
    upstream = Upstream().start()
    settings = {
        "UPSTREAM__BASE_URL": upstream.base_url,
        "UPSTREAM__CREDENTIALS": "managed",
        "UPSTREAM__API_KEY": "sk-of-the-provider",
        "CALLERS__PEPPER": PEPPER,
        "ADMIN__KEY": ADMIN,
        "REGISTRY__URL": f"sqlite:///{place / 'registry.db'}",
    }
    gateways = [GatewayProcess.start(place / name, settings) for name in ("first", "second")]
    try:
        yield gateways[0], gateways[1]
    finally:
        for gateway in gateways:
            gateway.stop()
        upstream.stop()


def revocation_ms(first: GatewayProcess, second: GatewayProcess) -> list[float]:
    """Revoke keys at one gateway; give the milliseconds until the other refuses each."""
    made = [_issued(first) for _ in range(REVOKED)]
    time.sleep(1)
    with httpx.Client(base_url=second.base_url, trust_env=False) as client:
        return [_until_refused(first, client, key) for key in made]


def neighbour_ms(gateway: GatewayProcess) -> tuple[list[float], list[float], int]:
    """Give the milliseconds of a caller's requests alone, and beside another's flood; and the flood's requests.

    The other may ask once a second.
    """
    quiet, loud = _issued(gateway), _issued(gateway, limits=["60/minute"])
    alone = _asked_ms(gateway, quiet)
    spawned = multiprocessing.get_context("spawn")  # a process of its own: the two clients share no lock
    over, count = spawned.Event(), spawned.Value("q", 0)
    flooding = spawned.Process(target=flood, args=(gateway.base_url, _shown(loud), over, count))
    flooding.start()
    while not count.value:
        time.sleep(0.01)
    beside = _asked_ms(gateway, quiet)
    over.set()
    flooding.join()
    return alone, beside, count.value


def flood(base_url: str, headers: dict[str, str], over: Event, count: Any) -> None:
    """Ask over some connections, each without a pause, until it is over; count the answers."""
    threads = [threading.Thread(target=_ask_on, args=(base_url, headers, over, count)) for _ in range(FLOODING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _ask_on(base_url: str, headers: dict[str, str], over: Event, count: Any) -> None:
    with httpx.Client(base_url=base_url, trust_env=False, headers=headers) as client:
        while not over.is_set():
            client.get("/models")
            with count.get_lock():
                count.value += 1


def _asked_ms(gateway: GatewayProcess, key: dict[str, str]) -> list[float]:
    times = []
    with httpx.Client(base_url=gateway.base_url, trust_env=False, headers=_shown(key)) as client:
        for _ in range(ASKED):
            started = time.perf_counter()
            assert client.get("/models").status_code == 200
            times.append((time.perf_counter() - started) * 1e3)
    return sorted(times)


def _issued(gateway: GatewayProcess, **wanted: object) -> dict[str, str]:
    key: dict[str, str] = gateway.admin("POST", "/admin/keys", json={"name": "bench"} | wanted).json()
    return key


def _shown(key: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {key['key']}"}


def _until_refused(gateway: GatewayProcess, client: httpx.Client, key: dict[str, str]) -> float:
    shown = _shown(key)
    assert client.get("/models", headers=shown).status_code == 200
    assert gateway.admin("DELETE", f"/admin/keys/{key['id']}").status_code == 204
    revoked = time.perf_counter()
    while client.get("/models", headers=shown).status_code != 401:
        pass
    return (time.perf_counter() - revoked) * 1e3


def main() -> None:
    """Print the figures."""
    ring, keys = ring_of(KEYS)
    look, whole = cost_us(ring, keys)
    print(f"a look at a ring of {KEYS:,} keys: {look:.1f} us; all of identify: {whole:.1f} us (medians of {SAMPLES:,})")
    print(f"known id with a wrong secret against unknown id: t = {welch_t(ring, keys):+.2f} ({2 * SAMPLES:,} samples)")
    with tempfile.TemporaryDirectory() as place, two_gateways(Path(place)) as (first, second):
        delays = sorted(revocation_ms(first, second))
        alone, beside, flood = neighbour_ms(first)
    middle = statistics.median(delays)
    print(f"revoked here, refused there: p50 {middle:.0f} ms, max {delays[-1]:.0f} ms ({REVOKED} keys)")
    p50, p99 = (f"{alone[at]:.1f} -> {beside[at]:.1f} ms" for at in (ASKED // 2, ASKED * 99 // 100))
    print(f"a caller beside {flood:,} requests of another's, who may ask 60 times a minute: p50 {p50}, p99 {p99}")


if __name__ == "__main__":
    main()
