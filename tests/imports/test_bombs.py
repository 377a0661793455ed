"""Documents that are made to cost: refused within seconds and without the memory that they ask for."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from app.errors import SourceRefused
from app.imports import reading
from app.imports.bounds import Work
from app.imports.fetch import fetch
from app.settings.imports import ImportSettings, SourceKind, SourceSpec
from tests.imports.conftest import LOOPBACK, Import
from tests.support.served import serve

MOST_BYTES = 256 * 2**20
HEAD = "openapi: 3.1.0\n"
# Imports a file in a process of its own and prints what it says, the seconds and the memory on top of its start.
PROBE = """
import asyncio, sys, time
from app.errors import GatewayError
from app.imports.reading import read
from app.settings.imports import ImportSettings, SourceSpec
SETTINGS = ImportSettings(timeout_s=600)  # a slow machine is not what is asked about
def most():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
open("/proc/self/clear_refs", "w").write("5")  # else the highest is that of whoever started this
before, began = most(), time.monotonic()
try:
    found = asyncio.run(read(SourceSpec(name="bomb", kind="openapi", file=sys.argv[1]), SETTINGS)).found
    said = f"{len(found)} tools, {max((len(str(one.tool)) for one in found), default=0)} characters"
except GatewayError as error:
    said = str(error)
print(f"{time.monotonic() - began:.2f} {most() - before} {said}")
"""

# The same with a catalogue file; what it prints says no seconds.
CATALOGUE_PROBE = """
import sys
from pathlib import Path
from app.importer import ImportFailed, read_files
def most():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
open("/proc/self/clear_refs", "w").write("5")
before = most()
try:
    said = f"{len(read_files([Path(sys.argv[1])]))} tools"
except ImportFailed as error:
    said = str(error)
print(most() - before, said)
"""


def aliases() -> str:
    """Nine levels of ten aliases each: ten billion values."""
    lines = [HEAD + "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines)


def merges() -> str:
    """The same with merge keys, which are written out while they are read."""
    lines = [HEAD + "a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines)


def references() -> str:
    """Thirty schemas, each of which refers to the next one ten times."""
    schemas = {
        f"S{n}": {
            "type": "object",
            "properties": {f"p{i}": {"$ref": f"#/components/schemas/S{n + 1}"} for i in range(10)},
        }
        for n in range(30)
    }
    return document(schemas | {"S30": {"type": "string"}}, "S0")


def all_of() -> str:
    """The same with `allOf`, which is put together."""
    schemas = {f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 10} for n in range(30)}
    return document(schemas | {"S30": {"type": "object", "properties": {"p": {}}}}, "S0")


def document(schemas: Mapping[str, object], root: str) -> str:
    """Give a document with one operation that takes one of its schemas."""
    body = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{root}"}}}}
    paths = {"/a": {"post": {"operationId": "a", "requestBody": body}}}
    return json.dumps({"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}})


def operations(count: int) -> str:
    """Give a document of so many operations."""
    return json.dumps({"openapi": "3.1.0", "paths": {f"/{n}": {"get": {"operationId": f"o{n}"}} for n in range(count)}})


def shared(count: int, of: Mapping[str, object], schemas: Mapping[str, object] | None = None) -> str:
    """Give a document of so many operations that are all the same one."""
    paths = {f"/{n}": {"$ref": "#/components/x"} for n in range(count)}
    return json.dumps(
        {"openapi": "3.1.0", "paths": paths, "components": {"x": {"post": of}, "schemas": dict(schemas or {})}}
    )


def taking(schema: object) -> dict[str, object]:
    """Give an operation with a body."""
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def shared_all_of(count: int = 10_000) -> str:
    """An `allOf` of 290 references, of which nothing stands there twice."""
    schemas = {f"S{n}": {"properties": {f"s{n}_{i}": {"type": "string"} for i in range(30)}} for n in range(290)}
    parts = [{"$ref": f"#/components/schemas/S{n}"} for n in range(290)]
    return shared(count, taking({"allOf": parts}), schemas)


def shared_properties(count: int = 10_000) -> str:
    """A body of 50,000 properties."""
    return shared(count, taking({"properties": {f"p{n}": {"type": "string"} for n in range(50_000)}}))


def shared_tags(count: int = 10_000) -> str:
    """An operation of 200,000 tags."""
    return shared(count, {"tags": [f"tag{n}" for n in range(200_000)]})


BOMBS: dict[str, tuple[Callable[[], str], str]] = {
    "aliases": (aliases, "when its aliases are followed"),
    "merges": (merges, "when its aliases are followed"),
    "a long alias": (
        lambda: HEAD + f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 1_000)}]",
        "when its aliases are followed",
    ),
    "itself": (lambda: HEAD + "paths: &a {b: *a}", "an alias that holds itself"),
    "deep json": (lambda: "[" * 100_000 + "]" * 100_000, "nested"),
    "deep yaml": (lambda: HEAD + "a: " + "[" * 50_000, "nest"),
    "large yaml": (lambda: HEAD + "a:\n" + "- x\n" * 2_000_000, "YAML of more than 200,000 values"),
    "the largest yaml": (lambda: HEAD + "a:\n" + "- x\n" * 199_000, "0 tools"),
    "large json": (lambda: "[" + "[]," * 2_000_000 + "[]]", "more than 1,000,000 values"),
    "the largest json": (lambda: "[" + '{"a":0},' * 490_000 + "[]]", "neither 'openapi: 3.…'"),
    "deep blocks": (lambda: HEAD + "\n".join(" " * n + f"a{n}:" for n in range(900)), "nested"),
    "a long number": (lambda: '{"openapi": ' + "9" * 100_000 + "}", "cannot be read"),
    "operations": (lambda: operations(100_000), "more tools than imports.max_tools, 10,000"),
    "references": (references, "1 tools"),
    "allOf": (all_of, "1 tools"),
    "shared allOf": (shared_all_of, "more than 10,000,000 steps"),
    "shared properties": (shared_properties, "more than 10,000,000 steps"),
    "shared tags": (shared_tags, "10000 tools"),
    "shared text": (lambda: shared(10_000, {"description": "a b " * 500_000}), "more than 134,217,728 characters"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_g24_a_bomb_costs_seconds_and_little_memory(name: str, tmp_path: Path) -> None:
    """It is refused, or becomes a tool of a size that one may have, within 256 MiB (and 5 s: docs/reliability.md)."""
    make, expected = BOMBS[name]
    path = tmp_path / "bomb.yaml"
    path.write_text(make(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(path)], capture_output=True, text=True, timeout=110, check=True
    )
    _, grown, said = done.stdout.split(" ", 2)
    assert expected in said
    assert int(grown) <= MOST_BYTES


@pytest.mark.parametrize("name", ["aliases", "merges", "a long number"])
def test_g24_a_catalogue_file_has_the_bounds_of_an_import(name: str, tmp_path: Path) -> None:
    """A bomb as a catalogue file is refused within 256 MiB, with a reason, and with no other error."""
    make, expected = BOMBS[name]
    (tmp_path / "bomb.yaml").write_text(make().replace(HEAD, ""), encoding="utf-8")
    command = [sys.executable, "-c", CATALOGUE_PROBE, str(tmp_path / "bomb.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=True)
    grown, said = done.stdout.split(" ", 1)
    assert expected.replace("cannot be read", "digits") in said
    assert int(grown) <= MOST_BYTES


class Unbounded(Work):
    """Work of any size; `ended` says that it was made to end."""

    def __init__(self) -> None:
        super().__init__(10**18, 10**18)
        self.ended = threading.Event()

    def step(self, count: int = 1) -> None:
        """Count."""
        try:
            super().step(count)
        except SourceRefused:
            self.ended.set()
            raise


@pytest.mark.parametrize("make", [shared_all_of, shared_properties])
async def test_g24_reading_ends_when_its_time_is_over(make: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked is told, and the thread that reads ends, too: it would take many minutes."""
    work = Unbounded()
    monkeypatch.setattr(reading, "Work", lambda: work)
    spec, document = SourceSpec(name="bomb", kind=SourceKind.OPENAPI), make().encode()
    try:
        with pytest.raises(SourceRefused, match=r"took longer than imports\.timeout_s"):
            await reading.read(spec, ImportSettings(timeout_s=0.5), document)
        assert work.ended.wait(20)
    finally:
        work.stop()


@pytest.mark.parametrize("kind", [SourceKind.OPENAPI, SourceKind.MCP])
async def test_g24_an_answer_without_end_breaks_off(kind: SourceKind, take: Import) -> None:
    """Of a body of a gigabyte, no more is read than `imports.max_bytes` allows."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sent: list[int] = []
        thread = threading.Thread(target=_pour, args=(listening, sent), daemon=True)
        thread.start()
        with pytest.raises(SourceRefused, match=r"imports\.max_bytes"):
            await take(kind=kind, url=f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join(10)
    assert not thread.is_alive()
    assert sum(sent) < 64 * 2**20


def _pour(listening: socket.socket, sent: list[int]) -> None:
    """Answer one request with a gigabyte, as far as it is taken."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n"
    connection, _ = listening.accept()
    with connection, suppress(OSError):
        connection.recv(65_536)
        connection.sendall(head)
        for _ in range(16_384):
            connection.sendall(b" " * 65_536)
            sent.append(65_536)


async def test_g24_a_packed_answer_is_not_unpacked() -> None:
    """What was not asked for packed and comes packed is refused before it is unpacked."""

    async def app(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] == "http":
            headers = [(b"content-encoding", b"gzip")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"\x1f\x8b"})

    with serve(app) as port:
        source = SourceSpec(name="packed", kind=SourceKind.OPENAPI, url=f"http://127.0.0.1:{port}/")
        with pytest.raises(SourceRefused, match="answers packed"):
            await fetch(source, ImportSettings(allow_networks=LOOPBACK))
