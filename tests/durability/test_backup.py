"""A backup is one state of a registry, and any store can be filled from it."""

# ruff: noqa: ASYNC240 (files are prepared and looked at while nothing else runs)

from __future__ import annotations

import asyncio
import json
import random
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sqlalchemy import update

from app.errors import Conflict, RegistryError, RegistryUnusable
from app.registry import backup, schema
from app.registry.held import Pending
from app.registry.keys import Key, KeyStore
from app.registry.sources import Exchange, Known, Provenance, Source, Sources
from app.registry.store import Registry
from router.types import Risk, Tool
from tests.support.memory import traced
from tests.support.postgres import Postgres

THEN = datetime(2026, 1, 1, tzinfo=UTC)
VECTOR = np.arange(4, dtype=np.float32)


def tool(name: str, description: str = "") -> Tool:
    """Make a tool with values that are not the defaults."""
    return Tool(name, b'{"n":1.0e+2}\xff', description=description, tags=("a", "é"), risk=Risk.WRITE, enabled=False)


@pytest.fixture
def urls(tmp_path: Path, postgres: Postgres) -> Iterator[dict[str, str]]:
    """Give the addresses of a new registry of each kind, and of another."""
    with postgres.database() as one, postgres.database() as other:
        yield {
            "sqlite": f"sqlite:///{tmp_path}/one.db",
            "other sqlite": f"sqlite:///{tmp_path}/other.db",
            "postgresql": one,
            "other postgresql": other,
        }


@pytest.mark.parametrize("target", ["other sqlite", "other postgresql"])
@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
async def test_durability_c15_a_backup_fills_any_store(
    urls: dict[str, str], tmp_path: Path, source: str, target: str
) -> None:
    """Tools, their order and origins, vectors and encoders come back equal, and the store goes on from there."""
    first, second = await Registry.open(urls[source]), await Registry.open(urls[target])
    origin = Provenance("z", "api", "openapi", "", "GET /z", THEN, "d" * 64, "{}", None, '{"method":"GET"}')
    await Sources(first).exchange(Source("api", "openapi", "", "{}"), Exchange([], [Known(tool("z"), origin)], []))
    await first.put([tool("gone"), tool("a")])
    await first.delete("gone")
    await first.add_vectors("encoder", {"d": VECTOR})
    await first.set_encoders("specs")
    known = await second.state()
    made = await backup.backup(first, tmp_path / "b.zip")
    assert await backup.restore(second, tmp_path / "b.zip") == made
    assert (await second.load())[1] == (await first.load())[1] == [tool("z"), tool("a")]
    assert (await second.vectors("encoder", ["d"]))["d"].tolist() == VECTOR.tolist()
    assert await second.encoders() == "specs"
    assert await Sources(second).known("api") == [Known(tool("z"), origin)]
    assert (await second.changes(known)).whole
    await second.put([tool("new")])
    assert [one.name for one in (await second.load())[1]] == ["z", "a", "new"]
    await first.close()
    await second.close()


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
async def test_durability_c15_a_backup_is_one_state_of_what_is_written_meanwhile(
    urls: dict[str, str], tmp_path: Path, source: str
) -> None:
    """Each put writes ten tools: a backup holds tens of them, those that were there at one generation."""
    registry, writer = await Registry.open(urls[source]), await Registry.open(urls[source])
    done = asyncio.Event()

    async def write() -> int:
        puts = 0
        while not done.is_set():
            await writer.put([tool(f"t{puts}_{i}") for i in range(10)])
            puts += 1
        return puts

    writing = asyncio.create_task(write())
    counts = []
    for number in range(5):
        made = await backup.backup(registry, tmp_path / f"{number}.zip")
        counts.append(made.tools)
        copy = await Registry.open(f"sqlite:///{tmp_path}/copy{number}.db")
        await backup.restore(copy, tmp_path / f"{number}.zip")
        generation, tools = await copy.load()
        assert len(tools) == made.tools == 10 * (generation - 1)
        await copy.close()
    done.set()
    assert 10 * await writing == await registry.count() >= counts[-1]
    assert counts == sorted(counts)
    await registry.close()
    await writer.close()


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
async def test_durability_c15_a_restore_removes_nothing_unasked(
    urls: dict[str, str], tmp_path: Path, target: str
) -> None:
    """A registry with tools is left alone, unless it is told to be replaced."""
    source, registry = await Registry.open(urls["other sqlite"]), await Registry.open(urls[target])
    await source.put([tool("from_backup")])
    await backup.backup(source, tmp_path / "b.zip")
    await registry.put([tool("mine")])
    before = await registry.state()
    with pytest.raises(Conflict, match="--replace"):
        await backup.restore(registry, tmp_path / "b.zip")
    assert await registry.state() == before
    await backup.restore(registry, tmp_path / "b.zip", replace=True)
    assert [one.name for one in (await registry.load())[1]] == ["from_backup"]
    assert (await registry.state()).generation > before.generation
    await source.close()
    await registry.close()


@pytest.mark.parametrize("name", ["registry.db", "manifest.json", "packed.zip"])
async def test_a_backup_may_have_any_name(tmp_path: Path, name: str) -> None:
    """The names of its parts and of the file while it is made are free, too."""
    registry = await Registry.open(f"sqlite:///{tmp_path}/a.db")
    await registry.put([tool("a")])
    made = await backup.backup(registry, tmp_path / name)
    target = await Registry.open(f"sqlite:///{tmp_path}/b.db")
    assert await backup.restore(target, tmp_path / name) == made
    assert await target.count() == 1
    await registry.close()
    await target.close()


def imported(digest: str, *, enabled: bool, waits: str = "") -> Known:
    """Return an imported tool, and what of it waits."""
    waiting = msgspec.json.encode(Pending(waits, "{}", enabled=True)).decode() if waits else None
    origin = Provenance("held", "crm", "mcp", "https://crm.example", "held!", THEN, digest, "{}", waiting)
    return Known(replace(tool("held"), enabled=enabled), origin)


@pytest.mark.parametrize("target", ["other sqlite", "other postgresql"])
@pytest.mark.parametrize(
    ("saved", "offered"),
    [
        (imported("old", enabled=True), False),  # of before the source changed it
        (imported("new", enabled=True), True),  # of after that was approved
        (imported("old", enabled=False, waits="third"), False),
        (imported("other", enabled=True, waits="third"), False),  # as a PUT once could make it
    ],
    ids=["before", "approved", "held itself", "a hole"],
)
async def test_h03_a_restore_offers_nothing_that_waits(
    urls: dict[str, str], tmp_path: Path, target: str, saved: Known, *, offered: bool
) -> None:
    """What waits for approval goes on to wait, unless the backup has an approval of just that definition."""
    crm = Source("crm", "mcp", "https://crm.example", "{}", THEN, None)
    registry, other = await Registry.open(urls[target]), await Registry.open(f"sqlite:///{tmp_path}/saved.db")
    await Sources(registry).exchange(crm, Exchange([], [imported("old", enabled=False, waits="new")], []))
    closed = replace(saved, tool=replace(saved.tool, enabled=False))
    await Sources(other).exchange(crm, Exchange([], [closed], []))
    async with other.changing() as connection:
        await connection.execute(update(schema.tools).values(enabled=saved.tool.enabled))
    await backup.backup(other, tmp_path / "b.zip")
    await backup.restore(registry, tmp_path / "b.zip", replace=True)
    restored = await registry.get("held")
    assert restored is not None
    assert (restored.enabled, bool(await Sources(registry).waiting())) == (offered, not offered)
    await registry.close()
    await other.close()


@pytest.mark.parametrize("target", ["other sqlite", "other postgresql"])
async def test_durability_c15_a_restore_revives_no_key(urls: dict[str, str], tmp_path: Path, target: str) -> None:
    """What was revoked since the backup stays revoked; a registry that has only keys is not empty."""
    registry = await Registry.open(urls[target])
    keys = KeyStore(registry)
    for key_id in ("kept", "revoked"):
        await keys.add(Key(key_id, "a test", THEN))
    await backup.backup(registry, tmp_path / "b.zip")
    await keys.revoke("revoked", THEN)
    token = await keys.token()
    with pytest.raises(Conflict, match="holds 2 keys"):
        await backup.restore(registry, tmp_path / "b.zip")
    await backup.restore(registry, tmp_path / "b.zip", replace=True)
    fresh, found = await keys.load()
    assert {key.id: key.revoked_at for key in found} == {"kept": None, "revoked": THEN}
    assert fresh != token
    await registry.close()


async def test_durability_c15_a_backup_with_another_database_is_refused(tmp_path: Path) -> None:
    """A sound archive whose database is not the one that its manifest describes is no backup."""
    registry = await Registry.open(f"sqlite:///{tmp_path}/a.db")
    await backup.backup(registry, tmp_path / "before.zip")
    await registry.put([tool("t", "x")])
    await backup.backup(registry, tmp_path / "after.zip")
    with zipfile.ZipFile(tmp_path / "mixed.zip", "w") as mixed:
        for name, part in (("registry.db", "before.zip"), ("manifest.json", "after.zip")):
            with zipfile.ZipFile(tmp_path / part) as archive:
                mixed.writestr(name, archive.read(name))
    with pytest.raises(RegistryUnusable, match="its content is not what its manifest says"):
        await backup.restore(registry, tmp_path / "mixed.zip", replace=True)
    assert (await registry.get("t")) is not None
    await registry.close()


async def test_durability_c15_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    """Of 200 files with a flipped bit, or cut short, every one is refused or gives just what was in it."""
    registry = await Registry.open(f"sqlite:///{tmp_path}/a.db")
    await registry.put([tool(f"t{i}", "x" * i) for i in range(50)])
    await backup.backup(registry, tmp_path / "b.zip")
    whole, random_ = (tmp_path / "b.zip").read_bytes(), random.Random(15)
    refused = 0
    target = await Registry.open(f"sqlite:///{tmp_path}/target.db")
    for number in range(200):
        harmed = bytearray(whole)
        harmed[random_.randrange(len(whole))] ^= 1 << random_.randrange(8)
        (tmp_path / "harmed.zip").write_bytes(harmed if number % 4 else whole[: random_.randrange(len(whole))])
        known = await target.load()
        try:
            await backup.restore(target, tmp_path / "harmed.zip", replace=True)
            assert (await target.load())[1] == (await registry.load())[1]
        except RegistryUnusable:
            refused += 1
            assert await target.load() == known
    await target.close()
    assert refused > 180
    await registry.close()


@pytest.mark.parametrize("what", ["no zip", "newer format", "newer schema"])
async def test_durability_c15_what_is_not_our_backup_is_refused(tmp_path: Path, what: str) -> None:
    """A file of something else, and one of a newer version, are named and change nothing."""
    registry = await Registry.open(f"sqlite:///{tmp_path}/a.db")
    file = tmp_path / "b.zip"
    if what == "no zip":
        file.write_bytes(b"a letter to a friend")
    else:
        if what == "newer schema":
            async with registry.changing() as connection:
                await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        await backup.backup(registry, file)
        if what == "newer format":
            with zipfile.ZipFile(file) as archive:
                manifest, data = json.loads(archive.read("manifest.json")), archive.read("registry.db")
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("registry.db", data)
                archive.writestr("manifest.json", json.dumps(manifest | {"format": 2}))
    with pytest.raises(RegistryUnusable, match="not a backup" if what == "no zip" else "newer version"):
        await backup.restore(registry, file)
    assert await registry.count() == 0
    await registry.close()


@pytest.mark.parametrize("what", ["manifest", "database of another packing", "size that no disk has"])
async def test_durability_c15_a_backup_that_unpacks_without_end_is_refused(tmp_path: Path, what: str) -> None:
    """What a file claims, or unpacks to, costs no more memory than a piece of it."""
    large = b"x" * (64 * 2**20)
    manifest = {"format": 1, "made_by": "", "made_at": THEN.isoformat(), "tools": 0, "vectors": 0, "sha256": ""}
    size = 10**15 if what.startswith("size") else len(large)
    written = json.dumps(manifest | {"size_bytes": size}).encode()
    packing = zipfile.ZIP_BZIP2 if "packing" in what else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(tmp_path / "b.zip", "w", packing) as out:
        out.writestr("registry.db", b"" if what == "manifest" else large)
        out.writestr(zipfile.ZipInfo("manifest.json"), written + large * (what == "manifest"), zipfile.ZIP_DEFLATED)
    registry = await Registry.open(f"sqlite:///{tmp_path}/a.db")
    reason = "more than is free" if what.startswith("size") else "not a backup"
    with traced() as used, pytest.raises(RegistryUnusable, match=reason):
        await backup.restore(registry, tmp_path / "b.zip")
    assert used.most < 8 * 2**20
    await registry.close()


async def test_durability_c15_a_backup_that_cannot_be_written_leaves_the_last(tmp_path: Path) -> None:
    """A file that was there is replaced when the new one is whole, and is for its owner's eyes."""
    registry = await Registry.open(f"sqlite:///{tmp_path}/a.db")
    await registry.put([tool("a")])
    await backup.backup(registry, tmp_path / "b.zip")
    (tmp_path / "a.db").rename(tmp_path / "away.db")
    before = (tmp_path / "b.zip").read_bytes()
    with pytest.raises(RegistryError):
        await backup.backup(registry, tmp_path / "b.zip", force=True)
    assert (tmp_path / "b.zip").read_bytes() == before
    assert (tmp_path / "b.zip").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["away.db", "b.zip"]
    await registry.close()


@pytest.mark.parametrize(("name", "said"), [("folder", "folder"), ("away/b.zip", "away")])
async def test_a_backup_that_has_no_place_is_refused_by_its_name(tmp_path: Path, name: str, said: str) -> None:
    """Not by that of a file on the way to it, which nobody has heard of."""
    registry = await Registry.open(f"sqlite:///{tmp_path}/a.db")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r".") as refused:
        await backup.backup(registry, tmp_path / name, force=True)
    assert refused.value.filename == str(tmp_path / said)
    await registry.close()


@pytest.mark.parametrize("there", ["file", "link to nowhere"])
async def test_a_backup_replaces_nothing_unless_forced(tmp_path: Path, there: str) -> None:
    """What is there stays as it is; with force it becomes the backup."""
    registry, file = await Registry.open(f"sqlite:///{tmp_path}/a.db"), tmp_path / "b.zip"
    await registry.put([tool("a")])
    file.write_bytes(b"the only other backup") if there == "file" else file.symlink_to("nowhere")
    with pytest.raises(Conflict, match="--force replaces it"):
        await backup.backup(registry, file)
    assert file.is_symlink() if there != "file" else file.read_bytes() == b"the only other backup"
    made = await backup.backup(registry, file, force=True)
    assert (made.tools, file.is_symlink()) == (1, False)
    await registry.close()
