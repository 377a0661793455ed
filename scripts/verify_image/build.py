"""Carry out the stages of a Dockerfile in folders.

The base image is Debian's own packages by debootstrap, with the Python that Debian has: the one thing that is not the
Dockerfile's. Indexes, proxies and authorities are those that this machine is configured with, lent to RUN only.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.verify_image import dockerfile
from scripts.verify_image.dockerfile import Config, Copy, Instruction, NotUnderstood, Stage

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"
_BASE = re.compile(r"(?:.*/)?python:3\.11[\w.]*-slim-(\w+)(?:@.*)?")
_LENT = ("http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


class StepFailed(Exception):
    """A RUN that ended with another code than 0."""


@dataclass
class Built:
    """A stage that was carried out."""

    root: Path
    config: Config


def suite_of(base: str) -> str:
    """Give the Debian release of a base image.

    Raises:
        NotUnderstood: It is not Python 3.11 on a slim Debian.
    """
    found = _BASE.fullmatch(base)
    if found is None:
        raise NotUnderstood(f"FROM {base}: only python:3.11-slim-<Debian release> can be made of Debian's packages")
    return found[1]


def bootstrap(suite: str, folder: Path) -> Path:
    """Give a root of that release, made where `folder` has none yet."""
    root = folder / suite
    if not root.exists():
        partial = folder / f"{suite}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        ask = ["apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {suite}", "Component: main"]
        mirror = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.split()[:1]
        make = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", suite, str(partial), *mirror]
        with (folder / "debootstrap.log").open("wb") as log:
            subprocess.run(make, check=True, stdout=log, stderr=log)
        partial.rename(root)
    return root


def build(stage: Stage, before: dict[str, Built], base: Path, context: Path, root: Path) -> Built:
    """Carry out one stage in `root`; print each step that does something and its seconds."""
    source = before[stage.base] if stage.base in before else Built(base, Config(env={"PATH": _PATH}))
    _copy_tree(source.root, root)
    built = Built(root, Config(env=dict(source.config.env)))
    for step in stage.steps:
        began = time.monotonic()
        dockerfile.apply(built.config, step)
        if step.name in {"RUN", "COPY", "WORKDIR"}:
            _carry_out(step, built, before, context)
            print(f"  {time.monotonic() - began:6.1f} s  {step.name} {' '.join(step.text.split())[:96]}", flush=True)
    return built


def _carry_out(step: Instruction, built: Built, before: dict[str, Built], context: Path) -> None:
    if step.name == "RUN":
        _run(step.text, built)
    elif step.name == "WORKDIR":
        inside(built.root, built.config.workdir).mkdir(parents=True, exist_ok=True)
    else:
        what = dockerfile.copied(dockerfile.fill(step.text, built.config.args | built.config.env))
        _copy(what, built, before[what.stage].root if what.stage else context)


def _run(text: str, built: Built) -> None:
    if text.startswith("--"):
        raise NotUnderstood(f"RUN {text}")
    config = built.config
    shell = ["/bin/sh", "-c", f'cd {shlex.quote(config.workdir)} && exec "$@"', "sh", *dockerfile.command(text)]
    command = ["chroot", f"--userspec={config.user}", str(built.root), *shell]
    with _lent(built.root) as settings:
        env = settings | config.args | config.env
        done = subprocess.run(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    if done.returncode != 0:
        raise StepFailed(f"RUN {text}\nexit code {done.returncode}\n{done.stdout}")


def _copy(what: Copy, built: Built, source: Path) -> None:
    target = inside(built.root, dockerfile.below(built.config.workdir, what.target))
    into = what.target.endswith("/") or len(what.sources) > 1
    for name in what.sources:
        origin = inside(source, name)
        here = target / origin.name if into and not origin.is_dir() else target
        here.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            _copy_tree(origin, here)
        else:
            shutil.copy2(origin, here)
        subprocess.run(["chown", "-R", what.chown or "0:0", str(here)], check=True)
        if what.chmod:
            subprocess.run(["chmod", "-R", what.chmod, str(here)], check=True)


def inside(root: Path, path: str) -> Path:
    """Give a path of a root as this machine sees it."""
    return root / path.lstrip("/")


def _copy_tree(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", f"{source}/.", str(target)], check=True)


@contextmanager
def _lent(root: Path) -> Iterator[dict[str, str]]:
    """Lend a root what this machine reaches its packages by; then take it all back."""
    settings = {name: value for name in _LENT if (value := os.environ.get(name))} | _pip_settings()
    paths = {"/etc/resolv.conf", *(path for value in settings.values() for path in _paths(value))}
    made: list[Path] = []
    mounted = ["proc", "dev"]
    subprocess.run(["mount", "-t", "proc", "proc", str(root / "proc")], check=True)
    subprocess.run(["mount", "--bind", "/dev", str(root / "dev")], check=True)
    for path in sorted(paths):
        made += _place(Path(path), inside(root, path))
        subprocess.run(["mount", "--bind", path, str(inside(root, path))], check=True)
        mounted.append(path)
    try:
        yield settings
    finally:
        for path in reversed(mounted):
            subprocess.run(["umount", str(inside(root, path))], check=True)
        for place in reversed(made):
            place.rmdir() if place.is_dir() else place.unlink()


def _pip_settings() -> dict[str, str]:
    """Give what pip is configured with here, its environment and its files, as variables."""
    ask = ["python3", "-m", "pip", "config", "list"]
    listed = subprocess.run(ask, check=False, capture_output=True, text=True).stdout
    pairs = re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", listed, flags=re.MULTILINE)
    return {f"PIP_{name.upper().replace('-', '_')}": value for name, value in pairs}


def _paths(value: str) -> list[str]:
    """Give the files and folders of this machine that a setting names; of an index, the folder above it."""
    words = [Path(word.removeprefix("file://")) for word in value.split() if word.startswith(("/", "file:///"))]
    places = [word.parent if word.name == "simple" else word for word in words]
    return [str(place) for place in places if place.exists() and place != Path("/")]


def _place(source: Path, target: Path) -> list[Path]:
    """Make a place to mount at; give what had to be made, outermost first."""
    missing = [folder for folder in reversed(target.parents) if not folder.exists()]
    for folder in missing:
        folder.mkdir()
    if not target.exists():
        target.mkdir() if source.is_dir() else target.touch()
        missing.append(target)
    return missing
