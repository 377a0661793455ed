"""A disk that fails: a small library that is loaded before the C library, built where it is used."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("faulty.c")


def faulty_disk(directory: Path) -> dict[str, str]:
    """Build it; give the variables of a process whose writes to files named `faulty…` may fail."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler to build the failing disk with")
    library = directory / "faulty.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}
