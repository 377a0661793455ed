"""A registry <-> one file, which any kind of store can be filled from.

The file is a ZIP of a SQLite database (`registry.db`) and `manifest.json`, which holds its SHA-256. Laws: a backup is
one state of the registry, taken while others write; a file that was there stays, unless it is said to be replaced, and
then until the new one is whole. A
restore is all or nothing; a file that is not what its manifest says is refused; one of an earlier version is migrated
first. After it every process reads everything anew. A key that the registry knows as revoked stays
revoked, and a tool that waits for approval goes on to wait.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import sqlite3
import struct
import tempfile
import zipfile
import zlib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app import __version__
from app.errors import Conflict, RegistryUnusable
from app.registry import copying, held, keys, migrate, schema
from app.registry.sqlite import SqliteDatabase
from app.registry.store import Registry
from app.registry.writing import raise_generation

_FORMAT = 1
_DATABASE, _MANIFEST = "registry.db", "manifest.json"
_PACKED = "packed.zip"  # until it is whole: not the name asked for, which may be that of the database
_PIECE = 2**20
_MOST_MANIFEST_BYTES = 64 * 2**10
# Other methods of packing are unpacked whole, whatever bound is given.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What reading an archive raises that is none: its own errors, and those of numbers and offsets that make no sense.
_NO_BACKUP = (
    *(zipfile.BadZipFile, zlib.error, struct.error, msgspec.DecodeError),
    *(EOFError, LookupError, ValueError, OverflowError, NotImplementedError, RuntimeError),
)
_BY_CONTENT = (None, errno.EINVAL)  # errors of a file system that are none: of an offset before the file's begin, say


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself."""

    format: int
    made_by: str
    made_at: datetime
    tools: int
    vectors: int
    size_bytes: int
    sha256: str


async def backup(registry: Registry, file: Path, *, force: bool = False) -> Manifest:
    """Write what the registry holds now to a file.

    Raises:
        Conflict: The file is there, and nobody said to replace it.
        RegistryError: The registry cannot be read, or is damaged.
        OSError: The file cannot be written.
    """
    _check_free(file, force=force)
    with tempfile.TemporaryDirectory(prefix=".toolfunnel-backup-", dir=file.parent) as directory:
        copy, packed = Path(directory, _DATABASE), Path(directory, _PACKED)
        with registry.database.translated():
            await registry.shielded(registry.database.copy_to(copy))
        manifest = await asyncio.to_thread(_described, copy)
        await asyncio.to_thread(_pack, copy, manifest, packed)
        _check_free(file, force=force)  # another backup may have ended meanwhile
        await asyncio.to_thread(_put_in_place, packed, file)
    return manifest


async def restore(registry: Registry, file: Path, *, replace: bool = False) -> Manifest:
    """Put what a backup holds into a registry that is empty, or in place of what it has.

    Raises:
        Conflict: There are tools, keys or sources, and nobody said to replace them.
        RegistryUnusable: The file is no backup, damaged, or of a newer version.
    """
    with tempfile.TemporaryDirectory(prefix="toolfunnel-restore-") as directory:
        manifest = await asyncio.to_thread(_unpack, file, Path(directory))
        copy = SqliteDatabase(Path(directory, _DATABASE), 0)
        copy.place = f"in the backup {file}"
        try:
            await asyncio.to_thread(migrate.upgrade, copy)
            await registry.shielded(_fill(registry, copy, replace=replace))
        finally:
            await copy.dispose()
    return manifest


async def _fill(registry: Registry, copy: SqliteDatabase, *, replace: bool) -> None:
    async with copy.reading() as source, registry.changing() as target:
        if not replace and (there := await _held(target)):
            place = registry.database.place
            raise Conflict(f"The registry {place} holds {there}. --replace puts the backup in their place")
        revoked, held_back = await keys.revocations(target), await held.holds(target)
        before = (await target.execute(select(schema.generation.c.value))).scalar_one()
        await copying.copy_rows(source, target, leave=[schema.changes])
        for table in schema.metadata.sorted_tables:
            await registry.database.numbered(target, table)
        # A number that nobody has seen, and no log of what came before it: everything is read anew.
        restored = (await target.execute(select(schema.generation.c.value))).scalar_one()
        await target.execute(delete(schema.changes))
        await target.execute(update(schema.generation).values(value=max(before, restored)))
        await raise_generation(target)
        await keys.revoke_again(target, revoked)
        await held.hold_again(target, held_back)


async def _held(connection: AsyncConnection) -> str:
    """Say what a restore would replace; nothing for an empty registry."""
    counted: dict[str, int] = {}
    for table in (schema.tools, schema.keys, schema.sources):
        counted[table.name] = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
    return ", ".join(f"{number:,} {what}" for what, number in counted.items() if number)


def _described(copy: Path) -> Manifest:
    """Look a copy over, and say what it is."""
    with closing(sqlite3.connect(copy)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise RegistryUnusable(f"The registry is damaged and was not backed up: {found}")
        tools = connection.execute("SELECT count(*) FROM tools").fetchone()[0]
        vectors = connection.execute("SELECT count(*) FROM vectors").fetchone()[0]
    with copy.open("rb") as data:
        sha256 = hashlib.file_digest(data, "sha256").hexdigest()
    return Manifest(_FORMAT, __version__, datetime.now(UTC), tools, vectors, copy.stat().st_size, sha256)


def _pack(copy: Path, manifest: Manifest, packed: Path) -> None:
    packed.touch(mode=0o600, exist_ok=False)
    with packed.open("wb") as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(copy, _DATABASE)
            archive.writestr(_MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        out.flush()
        os.fsync(out.fileno())


def _check_free(file: Path, *, force: bool) -> None:
    """Raise where a backup cannot be put, with the name that was given."""
    if file.is_dir() and not file.is_symlink():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if not file.parent.is_dir():
        raise OSError(errno.ENOENT, "there is no such folder", str(file.parent))
    if not force and os.path.lexists(file):
        raise Conflict(f"{file} is there already. --force replaces it")


def _put_in_place(packed: Path, file: Path) -> None:
    packed.replace(file)
    directory = os.open(file.parent, os.O_RDONLY)
    os.fsync(directory)  # else the name may be lost in a power cut
    os.close(directory)


def _unpack(file: Path, directory: Path) -> Manifest:
    """Write the database of a backup to a directory, and compare it with the manifest."""
    with file.open("rb") as opened:
        try:
            with zipfile.ZipFile(opened) as archive:
                manifest = _manifest(archive)
                if manifest.format != _FORMAT:
                    raise RegistryUnusable(f"The backup {file} is of a newer version of Toolfunnel, {manifest.made_by}")
                if manifest.size_bytes > shutil.disk_usage(directory).free:
                    size, place = f"{manifest.size_bytes:,} bytes", directory.parent
                    raise RegistryUnusable(
                        f"The backup {file} needs {size} to be unpacked, more than is free in {place}"
                    )
                with _opened(archive, _DATABASE) as packed, Path(directory, _DATABASE).open("wb") as out:
                    sha256 = _copied(packed, out, manifest.size_bytes)
        except (*_NO_BACKUP, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _BY_CONTENT:
                raise
            raise RegistryUnusable(f"{file} is not a backup of a registry, or is damaged") from error
    if sha256 != manifest.sha256:
        raise RegistryUnusable(f"The backup {file} is damaged: its content is not what its manifest says")
    return manifest


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    """Return what a backup says of itself; not more of it is unpacked than a manifest can have."""
    with _opened(archive, _MANIFEST) as packed:
        return msgspec.json.decode(packed.read(_MOST_MANIFEST_BYTES), type=Manifest)


def _opened(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Return a member of an archive, which is unpacked piece by piece.

    Raises:
        NotImplementedError: Its method of packing cannot be.
    """
    if archive.getinfo(name).compress_type not in _METHODS:
        raise NotImplementedError(name)
    return archive.open(name)


def _copied(packed: IO[bytes], out: IO[bytes], size: int) -> str:
    """Copy what is announced and a byte, which would be one too many; give its SHA-256."""
    hashed, left = hashlib.sha256(), size + 1
    while left and (piece := packed.read(min(left, _PIECE))):
        hashed.update(piece)
        out.write(piece)
        left -= len(piece)
    return hashed.hexdigest()
