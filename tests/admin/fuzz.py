"""schemathesis over the admin API's own OpenAPI document: `python -m tests.admin.fuzz --examples 400`.

Left out: that whatever fits a schema is accepted. A tool's text, name and schema have rules that no schema can say.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.log_check import LOGS

_KEY = "the-key-of-the-operator"
_SETTINGS = {
    "ADMIN__KEY": _KEY,
    "CALLERS__PEPPER": "p" * 32,
    "UPSTREAM__CREDENTIALS": "managed",
    "UPSTREAM__API_KEY": "sk",
}
_CONFIGURATION = """
[[operations]]
include-name = "GET /admin/tools"
checks.negative_data_rejection.enabled = false  # an empty value is as good as none
"""


def fuzz(directory: Path, examples: int, phases: str = "coverage,fuzzing") -> tuple[int, str]:
    """Run it against a gateway in a directory; give the exit code and what it said."""
    gateway = GatewayProcess.start(directory / "gateway", _SETTINGS)
    (directory / "schemathesis.toml").write_text(_CONFIGURATION, encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(directory / "schemathesis.toml")),
        *("run", f"{gateway.url}/admin/openapi.json", "--header", f"Authorization: Bearer {_KEY}"),
        *("--exclude-checks", "positive_data_acceptance", "--phases", phases),
        *("--max-examples", str(examples), "--seed", "1", "--continue-on-failure", "--no-shrink"),
    ]
    try:
        gateway.register([tools.record(tool) for tool in tools.distinct(20)])
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        gateway.wait_ready(30)
    finally:
        gateway.stop()
    return done.returncode, done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.admin.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=400, help="for each of the operations")
    with tempfile.TemporaryDirectory() as directory:
        code, said = fuzz(Path(directory), parser.parse_args().examples, "coverage,fuzzing,stateful")
    wrong = LOGS.take()
    sys.stdout.write("\n".join([said, *wrong]))
    sys.exit(code or bool(wrong))


if __name__ == "__main__":
    main()
