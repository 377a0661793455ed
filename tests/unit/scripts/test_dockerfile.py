"""scripts/verify_image: Dockerfiles are read as Docker reads them, and what is not understood is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.verify_image import build, context, dockerfile
from scripts.verify_image.dockerfile import Config, Copy, Instruction, NotUnderstood

ROOT = Path(__file__).parents[3]
SHIPPED = (ROOT / "Dockerfile").read_text(encoding="utf-8")

TWO_STAGES = r"""
# a comment
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
ENV A=1 B="two words"
RUN one \
# a comment between
 && two $A
FROM $BASE
COPY --from=build --chmod=0644 /a /b/ /c/
"""


def test_stages_are_read_with_their_steps() -> None:
    """Variables before FROM are put in, continued lines joined, comments gone; RUN keeps its own for the shell."""
    first, second = dockerfile.stages(TWO_STAGES)
    assert [(stage.base, stage.name) for stage in (first, second)] == [
        ("python:3.11-slim-bookworm", "build"),
        ("python:3.11-slim-bookworm", "1"),
    ]
    assert first.steps == (Instruction("ENV", 'A=1 B="two words"'), Instruction("RUN", "one  && two $A"))
    assert dockerfile.copied(second.steps[0].text) == Copy(("/a", "/b/"), "/c/", stage="build", chmod="0644")


def test_build_arguments_replace_defaults() -> None:
    """An ARG before FROM takes the value that is given for it."""
    (first, _) = dockerfile.stages(TWO_STAGES, {"BASE": "other"})
    assert first.base == "other"


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nADD x y",
        "FROM a\nSHELL x",
        "RUN a\nFROM b",
        "FROM a\nRUN <<END\nls\nEND",
        "FROM ${A:-b}",
        "FROM a\nONBUILD RUN x",
    ],
)
def test_what_is_not_known_is_refused(text: str) -> None:
    """Nothing is passed over in silence."""
    with pytest.raises(NotUnderstood):
        dockerfile.stages(text)


@pytest.mark.parametrize("text", ["--link a b", "only-one"])
def test_copy_that_is_not_known_is_refused(text: str) -> None:
    """A flag that would change what is copied, or a COPY without a target, ends it."""
    with pytest.raises(NotUnderstood):
        dockerfile.copied(text)


def test_instructions_configure_the_image() -> None:
    """What a container is started with is gathered from the instructions, relative folders below the last one."""
    config = Config(env={"PATH": "/bin"})
    steps = [
        "ARG V=3",
        "ENV PATH=/opt:$PATH VERSION=${V}",
        "WORKDIR /a",
        "WORKDIR b",
        "USER 1:2",
        'VOLUME ["/v"]',
        "CMD run it",
    ]
    for step in dockerfile.instructions("\n".join(steps)):
        dockerfile.apply(config, step)
    assert config.env == {"PATH": "/opt:/bin", "VERSION": "3"}
    assert (config.workdir, config.user, config.volumes) == ("/a/b", "1:2", ("/v",))
    assert config.cmd == ("/bin/sh", "-c", "run it")


def test_shipped_dockerfile_is_understood() -> None:
    """Every instruction of ours is known, and says what the container runs, as whom, and how it is stopped."""
    build_stage, last = dockerfile.stages(SHIPPED)
    config = Config(env={"PATH": "/bin"})
    for step in last.steps:
        dockerfile.apply(config, step)
    assert {build.suite_of(stage.base) for stage in (build_stage, last)} == {"bookworm"}
    assert config.entrypoint + config.cmd == ("toolfunnel", "serve", "--host", "0.0.0.0")
    assert (config.user, config.workdir, config.volumes, config.stop_signal) == (
        "10001:10001",
        "/data",
        ("/data",),
        "SIGTERM",
    )
    assert config.healthcheck[0] == "python"


@pytest.mark.parametrize("base", ["debian:bookworm", "python:3.12-slim-bookworm", "python:3.11-alpine"])
def test_base_that_debian_cannot_stand_in_for_is_refused(base: str) -> None:
    """Only Python 3.11 on a slim Debian is made of Debian's packages."""
    with pytest.raises(NotUnderstood):
        build.suite_of(base)


def test_context_follows_the_ignore_file(tmp_path: Path) -> None:
    """The last rule that matches decides, for folders with all below them, and `**` matches at any depth."""
    for name in ("a/one.py", "a/b/__pycache__/two.pyc", "a/b/three.py", ".env", ".git/config", "keep.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    found = context.files(tmp_path, context.rules("# what goes\n*\n!a\n!keep.txt\n**/__pycache__\n"))
    assert found == ["a/b/three.py", "a/one.py", "keep.txt"]


def test_context_of_ours_holds_no_secrets() -> None:
    """Of this repository go the sources, and neither .git nor .env nor tests."""
    found = context.files(ROOT, context.rules((ROOT / ".dockerignore").read_text(encoding="utf-8")))
    assert {path.split("/")[0] for path in found} >= {"app", "router", "pyproject.toml", "config.yaml"}
    assert not [path for path in found if path.startswith((".git", ".env", "tests", ".venv")) or "__pycache__" in path]
