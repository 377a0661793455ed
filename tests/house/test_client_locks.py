"""What `make test-clients` installs is locked: exact versions by hash, from whichever registry a machine uses."""

from __future__ import annotations

import json
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_NODE = _ROOT / "tests/clients/node"


def test_clients_are_locked_by_hash() -> None:
    """Every Python package has a version and hashes, and no index is named."""
    text = (_ROOT / "requirements/clients.txt").read_text(encoding="utf-8")
    packages = re.findall(r"^(?=[A-Za-z])(?:.*\n(?:[ ].*\n)*)", text, flags=re.MULTILINE)
    assert len(packages) > 100
    assert [one for one in packages if "==" not in one or "--hash=sha256:" not in one] == []
    assert "://" not in text
    assert "--index" not in text


def test_node_packages_are_locked_by_hash() -> None:
    """Every Node package has a version and a hash, no address, and no program that runs when it is installed."""
    lock = json.loads((_NODE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert {"node_modules/openai", "node_modules/ai"} <= set(packages)
    assert [name for name, one in packages.items() if not one.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, one in packages.items() if "resolved" in one or "hasInstallScript" in one] == []
    assert "omit-lockfile-registry-resolved=true" in (_NODE / ".npmrc").read_text(encoding="utf-8")


def test_clients_stay_out_of_the_set_up() -> None:
    """`make setup` and `make test` install none of them, and neither git nor the image takes what is installed."""
    makefile = (_ROOT / "Makefile").read_text(encoding="utf-8")
    needing = re.findall(r"^([\w-]+):.*\$\(APPS\)/\.ready", makefile, flags=re.MULTILINE)
    assert needing == ["test-clients"]
    assert {".venv-clients/", "node_modules/"} <= set((_ROOT / ".gitignore").read_text("utf-8").splitlines())
    assert "*" in (_ROOT / ".dockerignore").read_text("utf-8").splitlines()
