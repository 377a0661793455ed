"""Installing: the Makefile's own commands, with old and new pips and an index newer than the lock; complete locks."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PIPS = Path(sys.prefix) / "pips"  # `make extras` puts them there
VERSIONS = tuple(path.stem for path in sorted((ROOT / "requirements" / "pips").glob("*.txt")))
OLDEST_OF_DEBIAN = "23.0.1"

# Two releases of `thing`, and what asks for it with an extra, as coverage and pytest-cov did.
WHEELS = {
    ("thing", "1.0"): ("Provides-Extra: more",),
    ("thing", "1.1"): ("Provides-Extra: more",),
    ("asker", "1.0"): ("Requires-Dist: thing[more]>=1.0",),
}


def wheel(folder: Path, name: str, version: str, metadata: tuple[str, ...]) -> str:
    """Make a wheel that holds nothing; return its hash."""
    told = "\n".join(("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata, ""))
    tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    info = f"{name}-{version}.dist-info"
    files = {f"{info}/METADATA": told, f"{info}/WHEEL": tag}
    digests = {path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for path, text in files.items()}
    record = [f"{path},sha256={digest.rstrip(b'=').decode()},{len(files[path])}" for path, digest in digests.items()]
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in (files | {f"{info}/RECORD": "\n".join([*record, f"{info}/RECORD,,", ""])}).items():
            archive.writestr(path, text)
    return hashlib.sha256(target.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An index in which a release newer than the lock is out, and the lock."""
    folder = tmp_path_factory.mktemp("index")
    hashes = {key: wheel(folder, *key, metadata) for key, metadata in WHEELS.items()}
    locked = [(name, version) for name, version in WHEELS if version == "1.0"]
    return folder, "".join(f"{n}=={v} \\\n    --hash=sha256:{hashes[n, v]}\n" for n, v in locked)


@pytest.fixture
def clone(index: tuple[Path, str], tmp_path: Path) -> Path:
    """A clone with an empty environment, in which the lock is the small one."""
    venv.create(tmp_path / ".venv", symlinks=True)
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "dev.txt").write_text(index[1])
    return tmp_path


def install(clone: Path, index: Path, pip: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in which `python -m pip` is that version, and the index is all there is."""
    assert (PIPS / pip).is_dir(), "make extras fetches the pips that this test installs with"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment |= {"PYTHONPATH": str(PIPS / pip), "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    environment |= {"PIP_FIND_LINKS": str(index), "PIP_NO_CACHE_DIR": "1"}
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False, timeout=60)


def installed(clone: Path) -> set[str]:
    """Return the wheels in its environment."""
    (packages,) = (clone / ".venv").glob("lib/python*/site-packages")
    return {path.name.removesuffix(".dist-info") for path in packages.glob("*.dist-info")}


def makefile_command(lock: str) -> list[str]:
    """Return the one command of the Makefile that installs a lock."""
    ask = ["make", "--dry-run", "--always-make", "extras", f"PYTHON={sys.executable}"]
    lines = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    (line,) = (line for line in lines if line.endswith(f"-r requirements/{lock}.txt"))
    return shlex.split(line)


@pytest.mark.parametrize("pip", VERSIONS)
def test_setup_installs_the_locked_releases_with_any_pip(clone: Path, index: tuple[Path, str], pip: str) -> None:
    """The very command of `make setup` installs what is locked, though a newer release is out."""
    done = install(clone, index[0], pip, makefile_command("dev"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert installed(clone) == {"thing-1.0", "asker-1.0"}
    assert "  2 packages in " in done.stdout


def test_extras_are_installed_as_setup_installs() -> None:
    """`make extras` differs in nothing but the lock."""
    assert makefile_command("encoders")[:-1] == makefile_command("dev")[:-1]


def test_setup_would_fail_with_an_old_pip_that_resolves(clone: Path, index: tuple[Path, str]) -> None:
    """Without --no-deps the same command fails as it did in the field, and shows what pip said."""
    command = [word for word in makefile_command("dev") if word != "--no-deps"]
    done = install(clone, index[0], OLDEST_OF_DEBIAN, command)
    assert done.returncode == 1
    assert "all requirements must have their versions pinned with ==" in done.stdout
    assert installed(clone) == set()


def locked(lock: str) -> dict[str, str]:
    """Return the packages of a lock and their versions."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return {canonicalize_name(name): version for name, version in re.findall(r"^(\S+?)==(\S+)", text, flags=re.M)}


def required(lock: str) -> list[Requirement]:
    """Return what a lock is made from, as `make lock` says it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if lock == "build":
        return [Requirement(text) for text in project["build-system"]["requires"]]
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    (line,) = (line for line in lines if f"-o requirements/{lock}.txt" in line)
    project_extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    texts = [*project["project"]["dependencies"]]
    texts += [text for extra in re.findall(r"--extra (\S+)", line) for text in project_extras[extra]]
    texts += [text for group in re.findall(r"--group (\S+)", line) for text in groups[group]]
    texts += [text for text in project_extras["onnx"] + project_extras["sentence-transformers"] if lock == "encoders"]
    return [Requirement(text) for text in texts]


def closure(wanted: list[Requirement], left_out: set[str]) -> Iterator[tuple[str, str]]:
    """Yield each package that is needed, directly or not, and who needs it; markers as they are here."""
    queue, seen = [(one, "pyproject.toml") for one in wanted], set[tuple[str, str]]()
    while queue:
        requirement, by = queue.pop()
        name = canonicalize_name(requirement.name)
        if name in left_out or name == "toolfunnel":
            continue
        yield name, by
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                needs = [Requirement(text) for text in distribution(name).requires or ()]
                queue += [(one, name) for one in needs if one.marker is None or one.marker.evaluate({"extra": extra})]


@pytest.mark.parametrize("lock", ["base", "build", "dev", "encoders"])
def test_lock_is_complete(lock: str) -> None:
    """All that a locked package needs is locked, so that nothing is lost when nothing is resolved."""
    no_gpu = {line for line in (ROOT / "requirements" / "no-gpu.txt").read_text().splitlines() if line[0] != "#"}
    left_out = no_gpu | {"torch"} if lock == "encoders" else set[str]()
    needed = dict(closure(required(lock), left_out))
    assert len(needed) >= 5
    assert {f"{name}, needed by {by}" for name, by in needed.items() if name not in locked(lock)} == set()


@pytest.mark.parametrize("lock", ["base", "build", "encoders"])
def test_locks_agree(lock: str) -> None:
    """What is shipped, built with and tested are the same releases."""
    dev = locked("dev")
    assert {name: version for name, version in locked(lock).items() if dev.get(name, version) != version} == {}
