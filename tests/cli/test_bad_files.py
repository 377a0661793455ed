"""Every reader of files, with files that nobody meant: an error with a text of ours, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app import importer
from app.errors import ConfigurationError, RegistryUnusable, SourceRefused
from app.evaluation import EvaluationFailed, compare, dataset
from app.imports.bounds import parsed
from app.registry import backup
from app.settings import encoders, file
from router.embed import onnx
from router.errors import EncoderError
from tests.cli.command import Place

DIGITS = "9" * 5_000
DEEP = 100_000
TAGS = ("binary", "bool", "float", "int", "map", "null", "omap", "pairs", "seq", "set", "timestamp", "merge")
BAD = {
    "digits.json": f'{{"maximum": {DIGITS}}}'.encode(),
    "fraction.json": f'{{"maximum": 1.{DIGITS}e{DIGITS}}}'.encode(),
    "deep.json": b"[" * DEEP + b"]" * DEEP,
    "deep-unknown.json": b'{"x": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "shape.json": b'[[1, null, "x", {"tools": 3}]]',
    "word.json": b"null",
    "twice.json": b'{"a": 1, "a": 2}',
    "surrogate.json": b'{"name": "\\ud83d"}',
    "empty.json": b"",
    "digits.yaml": f"maximum: {DIGITS}".encode(),
    "numbers.yaml": f"x: [1.{DIGITS}e{DIGITS}, 1e999999999, .inf, .nan, 0x{DIGITS}, 0o{DIGITS}, 1:99:99]".encode(),
    "deep.yaml": b"- " * DEEP + b"1",
    "deep-flow.yaml": b"[" * DEEP + b"]" * DEEP,
    "date.yaml": b"openapi: 2001-99-99\ninfo: 2001-02-30T99:99:99Z",
    **{f"{tag}.yaml": f"a: !!{tag} 'x'".encode() for tag in TAGS},
    "python.yaml": b"? [a, b]\n: !!python/object/apply:os.system ['true']\n",
    "keys.yaml": b"{[1]: 2, {a: b}: 3, 2001-01-01: 4, null: 5}",
    "alias.yaml": b"a: *b\n<<: 3\n",
    "utf-8.yaml": b'name: "\xff\xfe\xe4"',
    "binary.yaml": bytes(range(256)) * 40,
    "zeros.json": b"\0" * 1_000,
}


def data_set(path: Path) -> None:
    """Read a file as each of those that a data set has."""
    for name in ("tools.jsonl", "queries.jsonl", "equiv.json"):
        folder = path.with_name(f"{path.name}-{name}")
        folder.mkdir()
        (folder / "tools.jsonl").write_text('{"id": "a", "name": "a", "description": "A"}\n')
        (folder / name).write_bytes(path.read_bytes())
        with pytest.raises(EvaluationFailed):
            dataset.read(folder)
    raise EvaluationFailed


def manifest(path: Path) -> None:
    """Read a file as that of an exported encoder."""
    folder = path.with_name(f"{path.name}-encoder")
    folder.mkdir()
    (folder / onnx.MANIFEST).write_bytes(path.read_bytes())
    onnx.read_manifest(folder)


READERS: dict[str, tuple[Callable[[Path], object], tuple[type[Exception], ...]]] = {
    "catalogue files": (lambda path: importer.read_files([path]), (importer.ImportFailed,)),
    "documents of imports": (lambda path: parsed(path.read_bytes(), "It"), (SourceRefused,)),
    "the configuration": (file.read, (ConfigurationError,)),
    "backups": (lambda path: backup._unpack(path, path.parent), (RegistryUnusable,)),
    "earlier runs": (compare.read, (EvaluationFailed,)),
    "data sets": (data_set, (EvaluationFailed,)),
    "exported encoders": (manifest, (EncoderError,)),
    "encoders in the environment": (
        lambda path: encoders._as_list(path.read_bytes().decode("latin-1")),
        (ValueError,),
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_no_file_is_a_surprise(reader: str, tmp_path: Path) -> None:
    """What a reader raises is what its commands tell as one line; some of these files, a few can be read."""
    read, expected = READERS[reader]
    surprises, refused = [], 0
    for name, content in BAD.items():
        path = tmp_path / name
        path.write_bytes(content)
        try:
            read(path)
        except expected:
            refused += 1
        except Exception as error:  # noqa: BLE001 - all of them are told together
            surprises.append(f"{name}: {error!r:.200}")
    assert surprises == []
    assert refused >= 4


def test_commands_tell_of_bad_files_in_a_line_each(place: Place) -> None:
    """A catalogue of all of them is refused with the name of each, and a configuration with its own."""
    for name, content in BAD.items():
        place.write(name, content)
    imported = place.run("tools", "import", *BAD)
    assert imported.code == 1
    assert [name for name in BAD if f"\n{name}" not in f"\n{imported.err}"] == []
    for name in ("digits.yaml", "date.yaml", "deep.yaml"):
        checked = place.run("config", "check", "--config", name)
        assert (checked.code, checked.err.splitlines()[1].split(":")[0]) == (2, name)
        assert len(checked.err) < 200
