"""Read a Dockerfile: stages of instructions, variables put in.

Laws: what is not understood is refused, never passed over; variables are put in where Docker does, and nowhere else
(`RUN`, `CMD` and the like leave them to the shell). No I/O.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

KNOWN = frozenset(
    ("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "STOPSIGNAL", "USER")
) | {"VOLUME", "WORKDIR"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class NotUnderstood(Exception):
    """A Dockerfile that uses what this reader does not know."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name in capitals and what follows, continued lines joined."""

    name: str
    text: str


@dataclass(frozen=True)
class Stage:
    """What a FROM begins."""

    base: str
    name: str
    steps: tuple[Instruction, ...]


@dataclass(frozen=True)
class Copy:
    """A COPY: sources in the context, or in the stage named by `stage`."""

    sources: tuple[str, ...]
    target: str
    stage: str | None = None
    chmod: str | None = None
    chown: str | None = None


@dataclass
class Config:
    """What a stage says about the processes to be run in it."""

    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    volumes: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"


def instructions(text: str) -> list[Instruction]:
    """Split a Dockerfile; comments go, also those between continued lines.

    Raises:
        NotUnderstood: An instruction that is not known, or a here-document.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\[ \t]*\n", "", "\n".join(lines))
    words = [line.partition(" ") for line in joined.split("\n")]
    found = [Instruction(name.upper(), rest.strip()) for name, _, rest in words]
    for step in found:
        if step.name not in KNOWN or "<<" in step.text:
            raise NotUnderstood(f"{step.name} {step.text}"[:100])
    return found


def stages(text: str, args: dict[str, str] | None = None) -> list[Stage]:
    """Give the stages in their order; `args` are what `--build-arg` would say."""
    known: dict[str, str] = {}
    found: list[tuple[str, str, list[Instruction]]] = []
    for step in instructions(text):
        if step.name == "FROM":
            base, _, name = re.sub(r"\s+as\s+", " AS ", step.text, flags=re.IGNORECASE).partition(" AS ")
            found.append((fill(base.strip(), known), name.strip(), []))
        elif found:
            found[-1][2].append(step)
        elif step.name == "ARG":
            name, _, default = step.text.partition("=")
            known[name] = (args or {}).get(name, default)
        else:
            raise NotUnderstood(f"{step.name} before FROM")
    return [Stage(base, name or str(place), tuple(steps)) for place, (base, name, steps) in enumerate(found)]


def fill(text: str, values: dict[str, str]) -> str:
    """Put values in for `$NAME` and `${NAME}`; what has no value is empty, as with Docker."""
    if re.search(r"\$\{\w+[^\w}]", text):
        raise NotUnderstood(text)
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), text)


def copied(text: str) -> Copy:
    """Read what follows COPY.

    Raises:
        NotUnderstood: A flag that is not known.
    """
    words = shlex.split(text)
    flags = dict(word.removeprefix("--").partition("=")[::2] for word in words if word.startswith("--"))
    paths = [word for word in words if not word.startswith("--")]
    if not set(flags) <= {"from", "chmod", "chown"} or len(paths) < 2:
        raise NotUnderstood(f"COPY {text}")
    return Copy(tuple(paths[:-1]), paths[-1], flags.get("from"), flags.get("chmod"), flags.get("chown"))


def command(text: str) -> tuple[str, ...]:
    """Read a command: a JSON list, or a text for the shell."""
    if text.startswith("["):
        return tuple(json.loads(text))
    return ("/bin/sh", "-c", text)


def apply(config: Config, step: Instruction) -> None:
    """Take into `config` what an instruction says of it; RUN, COPY and the like say nothing.

    Raises:
        NotUnderstood: A form that is not known.
    """
    values = config.args | config.env
    text = step.text
    if step.name == "ARG":
        name, _, default = text.partition("=")
        config.args.setdefault(name, fill(default, values))
    elif step.name == "ENV":
        config.env |= _assignments(fill(text, values))
    elif step.name == "WORKDIR":
        config.workdir = below(config.workdir, fill(text, values))
    elif step.name == "USER":
        config.user = fill(text, values)
    elif step.name == "VOLUME":
        config.volumes += tuple(json.loads(text)) if text.startswith("[") else tuple(shlex.split(fill(text, values)))
    elif step.name == "STOPSIGNAL":
        config.stop_signal = text
    else:
        _apply_command(config, step)


def _apply_command(config: Config, step: Instruction) -> None:
    if step.name == "ENTRYPOINT":
        config.entrypoint = command(step.text)
    elif step.name == "CMD":
        config.cmd = command(step.text)
    elif step.name == "HEALTHCHECK":
        config.healthcheck = command(step.text.partition("CMD ")[2])


def _assignments(text: str) -> dict[str, str]:
    words = shlex.split(text)
    if not all("=" in word for word in words):
        raise NotUnderstood(f"ENV {text}")
    return dict(word.partition("=")[::2] for word in words)


def below(folder: str, path: str) -> str:
    """Give a path that may be relative as one that is not."""
    return path if path.startswith("/") else f"{folder.rstrip('/')}/{path}"
