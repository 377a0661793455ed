"""Measure callers' keys: what a check costs, whether its time tells something, how soon a revoked key is refused.

`python -m bench.keys`: half a minute. The two gateways of the last figure share one SQLite registry.
"""

from __future__ import annotations

import gc
import math
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

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


def revocation_ms(place: Path) -> list[float]:
    """Revoke keys at one gateway; give the milliseconds until the other refuses each."""
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
        made = [gateways[0].admin("POST", "/admin/keys", json={"name": "bench"}).json() for _ in range(REVOKED)]
        time.sleep(1)
        with httpx.Client(base_url=gateways[1].base_url, trust_env=False) as client:
            return [_until_refused(gateways[0], client, key) for key in made]
    finally:
        for gateway in gateways:
            gateway.stop()
        upstream.stop()


def _until_refused(gateway: GatewayProcess, client: httpx.Client, key: dict[str, str]) -> float:
    shown = {"authorization": f"Bearer {key['key']}"}
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
    with tempfile.TemporaryDirectory() as place:
        delays = sorted(revocation_ms(Path(place)))
    middle = statistics.median(delays)
    print(f"revoked here, refused there: p50 {middle:.0f} ms, max {delays[-1]:.0f} ms ({REVOKED} keys)")


if __name__ == "__main__":
    main()
