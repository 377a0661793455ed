"""Put each mutant into a copy of the tree, one by one, and run the tests that have to find it: `make mutants`.

First those tests run on the copy as it is, so that none counts that fails anyway. A mutant is found when pytest ends
with 1 and names one of its tests as failed: an error of a fixture, or of an import, finds nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- mutants: make mutants WRITE=1 -->\n", "<!-- end of mutants -->\n"
_LEFT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "node_modules")
_LIMIT_S = 900
_FAILED = 1  # how pytest ends when tests failed and nothing else


@dataclass(frozen=True)
class Result:
    """What became of a mutant: the tests that found it and what the first said, or what pytest said instead."""

    name: str
    found_by: tuple[str, ...]
    seconds: float
    said: str = ""


class Copy:
    """A copy of the tree, whose code is what its tests and the servers that they start run."""

    def __init__(self, place: Path) -> None:
        self.place = place
        shutil.copytree(ROOT, place, ignore=_LEFT)

    def failures(self, tests: Sequence[str], *options: str) -> tuple[int, dict[str, str], str]:
        """Run tests; return how pytest ended, which failed with what, and the end of what it said."""
        report = self.place / "report.xml"
        report.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", "--timeout=600"]
        command.append(f"--junitxml={report}")
        environment = os.environ | {"PYTHONPATH": str(self.place), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [*command, *options, *tests],
            cwd=self.place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        failed = _failed(report) if report.exists() else {}
        return done.returncode, failed, (done.stdout + done.stderr)[-2000:]

    def check(self) -> None:
        """Make sure that what is imported is this copy, and not the tree that is installed.

        Raises:
            SystemExit: It is not.
        """
        code = "import app, router, tests; print(*(m.__path__[0] for m in (app, router, tests)))"
        environment = os.environ | {"PYTHONPATH": str(self.place)}
        done = subprocess.run([sys.executable, "-c", code], cwd="/", env=environment, capture_output=True, text=True)  # noqa: PLW1510
        if done.stdout.split() != [str(self.place / name) for name in ("app", "router", "tests")]:
            sys.exit(f"the copy is not what runs: {done.stdout}{done.stderr}")

    def tried(self, mutant: Mutant) -> Result:
        """Put a mutant in, run its tests, and take it out again."""
        file, began = self.place / mutant.path, time.monotonic()
        sound = file.read_text(encoding="utf-8")
        if sound.count(mutant.old) != 1:
            return Result(mutant.name, (), 0.0, f"the old text is {sound.count(mutant.old)} times in {mutant.path}")
        file.write_text(sound.replace(mutant.old, mutant.new), encoding="utf-8")
        try:
            code, failed, said = self.failures(mutant.tests, "-x")
        except subprocess.TimeoutExpired:
            return Result(mutant.name, (), _LIMIT_S, "its tests did not end")
        finally:
            file.write_text(sound, encoding="utf-8")
        named = {name_of(test) for test in mutant.tests}
        found = tuple(sorted(named & {name_of(test) for test in failed})) if code == _FAILED else ()
        if found:
            said = next(iter(failed.values())).partition("\n")[0]
        return Result(mutant.name, found, round(time.monotonic() - began, 1), said)


def name_of(test: str) -> str:
    """Return the name of a test without its file and parameters."""
    return test.rpartition("::")[2].partition("[")[0]


def _failed(report: Path) -> dict[str, str]:
    """Return the tests that failed and how; what went wrong around a test is an error, and none of these."""
    found = ((case.attrib["name"], case.find("failure")) for case in ET.parse(report).iter("testcase"))
    return {name: failure.attrib.get("message", "") for name, failure in found if failure is not None}


def run(mutants: Sequence[Mutant], jobs: int) -> list[Result]:
    """Try all of them, several at once, and tell how it goes.

    Raises:
        SystemExit: The tests fail without any mutant.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory, ThreadPoolExecutor(jobs) as pool:
        free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(jobs):
            free.put(Copy(Path(directory, f"copy-{number}")))
        _check_sound(free, mutants, jobs, pool)
        counted = itertools.count(1)

        def tried(mutant: Mutant) -> Result:
            copy = free.get()
            try:
                result = copy.tried(mutant)
            finally:
                free.put(copy)
            found = f"found by {', '.join(result.found_by)}" if result.found_by else "NOT FOUND"
            _tell(f"{next(counted)}/{len(mutants)} {mutant.name}: {found} ({result.seconds} s)\n  {result.said}")
            return result

        return list(pool.map(tried, mutants))


def _check_sound(free: queue.SimpleQueue[Copy], mutants: Sequence[Mutant], jobs: int, pool: ThreadPoolExecutor) -> None:
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    copies = [free.get() for _ in range(jobs)]
    _tell(f"{len(mutants)} mutants; first their {len(tests)} tests without any")
    for copy in copies:
        copy.check()
    files = sorted({test.partition("::")[0] for test in tests})
    shares = [[t for t in tests if files.index(t.partition("::")[0]) % jobs == share] for share in range(jobs)]
    done = [pool.submit(copy.failures, share) for copy, share in zip(copies, shares, strict=True) if share]
    for one in done:
        code, _, said = one.result()
        if code:
            sys.exit(f"The tests fail without any mutant:\n{said}")
    for copy in copies:
        free.put(copy)


def table(results: Sequence[Result]) -> str:
    """Write the results as a table."""
    known = {mutant.name: mutant for mutant in MUTANTS}
    rows = ["| Mutant | In | Found by |", "|---|---|---|"]
    for result in results:
        tests = "<br>".join(f"`{test}`" for test in result.found_by) or "**nothing**"
        rows.append(f"| {result.name} | `{known[result.name].path}` | {tests} |")
    return "\n".join(rows) + "\n"


def written(document: str, results: Sequence[Result]) -> str:
    """Return the document with these results."""
    head, _, rest = document.partition(BEGIN)
    return f"{head}{BEGIN}\n{table(results)}\n{END}{rest.partition(END)[2]}"


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description="Put faults in and look who finds them."
    )
    parser.add_argument("only", nargs="*", help="those whose names hold one of these words; all without")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (2)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--write", action="store_true", help="write them into docs/reliability.md")
    asked = parser.parse_args()
    chosen = [m for m in MUTANTS if not asked.only or any(re.search(word, m.name) for word in asked.only)]
    results = run(chosen, asked.jobs)
    if asked.json:
        sys.stdout.write(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    if asked.write and len(results) == len(MUTANTS):
        DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), results), encoding="utf-8")
    missed = [result.name for result in results if not result.found_by]
    _tell(f"{len(results) - len(missed)} of {len(results)} found" + (f"; not: {', '.join(missed)}" if missed else ""))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
