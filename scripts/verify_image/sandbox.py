"""Run an image as it is meant to run: its user, no capabilities, no way to gain rights, a read-only root.

Besides, more than Docker does: a network of its own with the loopback and nothing else, so that nothing can be fetched.
"""

from __future__ import annotations

import ctypes
import fcntl
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from scripts.verify_image.build import Built, inside

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of <linux/sched.h>
_SET_FLAGS = 0x8914  # SIOCSIFFLAGS of <linux/sockios.h>
_UP = 0x1  # IFF_UP of <linux/if.h>
_DEVICES = ("null", "zero", "random", "urandom")
_LIMITED = ("--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")


def leave_network() -> None:
    """Put this process and those it starts into a network with nothing but the loopback."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "unshare of the network")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))


class Sandbox:
    """A root made read-only, with /tmp and the volumes writable, and the processes in it."""

    def __init__(self, built: Built, volumes: Path) -> None:
        self.root, self.config = built.root, built.config
        _mount("--bind", self.root, self.root)
        _mount("-t", "tmpfs", "-o", "size=64m,mode=1777,nosuid,nodev", "tmpfs", inside(self.root, "/tmp"))
        _mount("-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", inside(self.root, "/dev"))
        for name in _DEVICES:
            (self.root / "dev" / name).touch()
            _mount("--bind", f"/dev/{name}", self.root / "dev" / name)
        for volume in self.config.volumes:
            self._mount_volume(volume, volumes)
        _mount("-o", "remount,ro,bind", self.root)

    def start(self, arguments: tuple[str, ...], env: Mapping[str, str], log: Path) -> Process:
        """Start a command as the first process of a world of its own, as an engine does."""
        alone = ("unshare", "--pid", "--fork", "--kill-child", f"--mount-proc={self.root}/proc")
        with log.open("wb") as out:
            command = [*alone, *self._entered(), *arguments]
            return Process(subprocess.Popen(command, env={**self.config.env, **env}, stdout=out, stderr=out))

    def run(self, arguments: tuple[str, ...], env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command beside it, with the same rights, and wait for it."""
        command = [*self._entered(), *arguments]
        env = {**self.config.env, **(env or {})}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    def run_as_root(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """Run a command with all rights in the same root."""
        command = ["chroot", str(self.root), *arguments]
        return subprocess.run(command, env=self.config.env, capture_output=True, text=True, timeout=60, check=False)

    def _entered(self) -> tuple[str, ...]:
        user, _, group = self.config.user.partition(":")
        limited = ("setpriv", f"--reuid={user}", f"--regid={group or user}", *_LIMITED, "--")
        return ("chroot", str(self.root), *limited, "env", "-C", self.config.workdir)

    def _mount_volume(self, volume: str, volumes: Path) -> None:
        """Do what an engine does with a new volume: it takes over content, owner and mode of the place."""
        place = inside(self.root, volume)
        outside = volumes / volume.strip("/").replace("/", "-")
        subprocess.run(["cp", "-a", str(place), str(outside)], check=True)
        _mount("--bind", outside, place)


class Process:
    """A process started in a sandbox."""

    def __init__(self, outer: subprocess.Popen[bytes]) -> None:
        self._outer = outer

    @property
    def pid(self) -> int:
        """The number of the first process inside, as this machine sees it."""
        outer = self._outer.pid
        return int(Path(f"/proc/{outer}/task/{outer}/children").read_text("ascii").split()[0])

    def status(self) -> dict[str, str]:
        """Give what the kernel says of its rights."""
        lines = Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines()
        return {name: " ".join(rest.split()) for name, _, rest in (line.partition(":") for line in lines)}

    def running(self) -> bool:
        """Tell whether it still runs."""
        return self._outer.poll() is None

    def tell(self, name: str) -> int:
        """Send a signal and give the exit code."""
        subprocess.run(["kill", f"-{signal.Signals[name].value}", str(self.pid)], check=True)
        return self._outer.wait(60)


def _mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)
