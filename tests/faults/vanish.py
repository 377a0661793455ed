"""A provider whose machine vanishes: `unshare --user --map-root-user --net python -m tests.faults.vanish`.

In a network of its own, a gateway has one stream and one request under way and a connection to spare. Then the
network is gone: nothing is refused, nothing is acknowledged. Writes as JSON how many connections to the provider the
gateway holds while all is well and after its limit, and what its clients were told when the network is back.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.chaos.asking import question
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.server import Chaos
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess

LIMIT_S = 2
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_PATIENCE_S = 20.0


def network(*, up: bool) -> None:
    """Switch the loopback interface on or off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        flags = struct.unpack("16sH", fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))[:18])[1]
        flags = flags | _IFF_UP if up else flags & ~_IFF_UP
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags))


def held(gateway: GatewayProcess, chaos: Chaos) -> int:
    """Count the gateway's connections to the provider; needs no network."""
    found = psutil.Process(gateway.pid).net_connections("tcp")
    return sum(bool(one.raddr) and one.raddr.port == chaos.port and one.status == "ESTABLISHED" for one in found)


def main() -> None:
    network(up=True)
    chaos = Chaos(SCENARIOS).start()
    settings = {"UPSTREAM__BASE_URL": chaos.base_url, "UPSTREAM__VANISHED_TIMEOUT_S": str(LIMIT_S)}
    with tempfile.TemporaryDirectory() as directory:
        gateway = GatewayProcess.start(Path(directory), settings)
        try:
            sys.stdout.write(json.dumps(_watched(gateway, chaos)))
        finally:
            gateway.stop()
            chaos.stop()


def _watched(gateway: GatewayProcess, chaos: Chaos) -> dict[str, object]:
    with sockets.RawClient(gateway.port) as stream, sockets.RawClient(gateway.port) as plain:
        stream.send(sockets.request(tools.encoded(question("stall_after?n=1", stream=True))))
        stream.receive_until(b"data:")
        plain.send(sockets.request(tools.encoded(question("hang"))))
        with sockets.RawClient(gateway.port) as spare:
            spare.send(sockets.request(tools.encoded(question("late?ms=200"))))
            spare.answer()
        chaos.wait_for(3)
        before = held(gateway, chaos)
        network(up=False)
        deadline = time.monotonic() + _PATIENCE_S
        while held(gateway, chaos) and time.monotonic() < deadline:
            time.sleep(0.05)
        left = held(gateway, chaos)
        network(up=True)
        told = [plain.answer()[0], b"0\r\n\r\n" in stream.receive_all()]
    return {"before": before, "left": left, "told": told, "again": gateway.post(question("ok")).status_code}


if __name__ == "__main__":
    main()
