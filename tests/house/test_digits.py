"""No number is read out of a text from outside without a bound: `app.digits.whole` reads them, nobody else."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
READERS = {"int", "float", "Decimal", "Fraction", "complex"}
# They say of digits of every script that they are some; `int` reads most of them, and fails on the rest.
JUDGES = {"isdigit", "isdecimal", "isnumeric"}
# Readers of JSON that make numbers of any length, or fail on them with an error that is not of JSON.
JSON = {"json.loads", "json.load"}
# Where a number is none of a text, or why the text is safe. `router` computes: its numbers are numpy's.
REASONS = {
    "app/digits.py": "the bound itself",
    "app/yaml12.py": "a number of thousands of digits is a ValueError, which is told as a fault of the file",
    "app/admin/service.py": "a sum of numpy's",
    "app/registry/snapshot.py": "a sum of numpy's",
    "app/serving.py": "a port, given by the system",
    "app/telemetry/metrics.py": "a place in a list",
    "app/telemetry/traces.py": "a time; and two, 16 and 32 hexadecimal digits, matched before",
    "app/callers/ring.py": "a word of the code: no end",
    "app/callers/follow.py": "a time of the clock",
    "app/imports/addresses.py": "an address that the standard library has read",
    "app/imports/bounds.py": "a number of thousands of digits is a ValueError, which is told as a fault of the source",
    "app/importer.py": "a number of thousands of digits is a ValueError, which is told as a fault of the file",
    "app/wire/members.py": "numbers stay texts",
    "app/admin/hidden.py": "numbers are not read",
    "app/settings/encoders.py": "the operator's own; a ValueError is a fault of the configuration",
    "app/evaluation/compare.py": "sums and means of numpy's",
    "app/evaluation/misses.py": "sums and places of numpy's",
    "app/evaluation/summary.py": "a comparison",
    "app/demo/run.py": "what the gateway beside it says",
    "app/demo/upstream.py": "what the gateway beside it says, and a time",
}


def calls(path: Path) -> Iterator[str]:
    """Give the calls in a file that read numbers, as they stand there."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if (called in READERS | JSON and node.args) or called.rpartition(".")[2] in JUDGES:
                yield ast.unparse(node)


def found() -> dict[str, list[str]]:
    """Give them, file by file."""
    files = sorted(path for path in (ROOT / "app").rglob("*.py"))
    listed = {str(path.relative_to(ROOT)): list(calls(path)) for path in files}
    return {path: shown for path, shown in listed.items() if shown}


def test_numbers_of_texts_are_read_by_one_function() -> None:
    """Where `int`, `float` or `json.loads` stands, a reason is given here."""
    assert {path: shown for path, shown in found().items() if path not in REASONS} == {}


def test_no_reason_is_left_over() -> None:
    """A reason whose call went goes, too."""
    assert sorted(REASONS) == sorted(found())
