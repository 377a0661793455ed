"""Dockerfile, docker-compose.yml and .env.example: what is cheap to check. `make check` lints the files."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from app import settings
from app.errors import ConfigurationError
from app.settings import Credentials, load
from app.settings.server import ServerSettings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
BASE, BUILD, RUNTIME = re.split(r"^FROM .*$", DOCKERFILE, flags=re.MULTILINE)


def instructions(text: str, name: str) -> list[str]:
    """Give what follows each `name` instruction, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line.removeprefix(name).strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


def gateway() -> dict[str, Any]:
    """Give the compose file's one service."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    service: dict[str, Any] = compose["services"]["gateway"]
    return service


def test_base_image_is_one_argument_with_a_version() -> None:
    """Both stages start from one argument that names a version, so that one argument pins a digest."""
    (default,) = instructions(BASE, "ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.11[\w.-]*", default)
    assert instructions(DOCKERFILE, "FROM") == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]


def test_nothing_is_taken_as_latest() -> None:
    """No image is named by a tag that moves at every release."""
    assert "latest" not in DOCKERFILE
    assert not gateway()["image"].endswith("latest")


def test_dependencies_are_installed_by_hash() -> None:
    """Whatever is downloaded is a wheel of a known hash and nothing is resolved; the project itself asks no index."""
    installs = re.findall(r"pip .*?install ([^&]*)", re.sub(r"\\\n", " ", BUILD))
    assert len(installs) == 3
    for arguments in installs:
        by_hash = {"--no-deps", "--require-hashes", "--only-binary"} <= set(arguments.split())
        assert by_hash or {"--no-index", "--no-deps"} <= set(arguments.split())


def lock_installs() -> list[str]:
    """Return every command of the repository that installs a requirement file, continued lines and variables joined."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in names.split("\0"):
        if name and not name.startswith(("tests/", "requirements/")) and (ROOT / name).is_file():
            text = (ROOT / name).read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
            for variable, value in re.findall(r"^(\w+) := (.*pip.*)$", text, flags=re.MULTILINE):
                text = text.replace(f"$({variable})", value)
            found += re.findall(r"""\bpip[^&|;\n]*\W(?:-r|--requirement)\b(?!-)[^&|;\n]*""", text)
    return found


def test_every_lock_is_installed_without_resolving() -> None:
    """Wherever a lock is installed, pip only fetches: an old one takes no pin where a package asks for an extra."""
    commands = lock_installs()
    assert len(commands) >= 5  # Makefile: dev, encoders, old pips; Dockerfile: base, build
    assert [one for one in commands if "--no-deps" not in one or "--require-hashes" not in one] == []


@pytest.mark.parametrize("name", ["base.txt", "build.txt"])
def test_locked_requirements_have_hashes(name: str) -> None:
    """Every locked package has a version and a hash."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    packages = re.findall(r"^(?=[A-Za-z])(?:.*\n(?:[ ].*\n)*)", text, flags=re.MULTILINE)
    assert packages
    assert all("==" in package and "--hash=sha256:" in package for package in packages)


def test_build_backend_is_locked_as_for_development() -> None:
    """The image is built by the very version of the backend that developers use."""
    pinned = re.compile(r"^hatchling==\S+", flags=re.MULTILINE)
    versions = [pinned.findall((ROOT / "requirements" / name).read_text()) for name in ("build.txt", "dev.txt")]
    assert versions[0] == versions[1] != []


def test_image_runs_as_a_user_without_rights() -> None:
    """The process has a numeric user that is not root, as Kubernetes wants it for runAsNonRoot."""
    assert instructions(RUNTIME, "USER") == ["10001:10001"]


def test_image_starts_the_command_itself() -> None:
    """No shell stands between a stop signal and the process; options can be put after the image's name."""
    assert instructions(RUNTIME, "ENTRYPOINT") == ['["toolfunnel"]']
    assert instructions(RUNTIME, "CMD") == ['["serve", "--host", "0.0.0.0"]']
    assert instructions(RUNTIME, "STOPSIGNAL") == ["SIGTERM"]


def test_image_checks_its_health_without_a_shell() -> None:
    """The health check needs nothing but Python, and its program compiles."""
    (check,) = instructions(RUNTIME, "HEALTHCHECK")
    command = yaml.safe_load(check[check.index("[") :])
    assert command[:3] == ["python", "-I", "-c"]
    assert "/healthz" in command[3]
    compile(command[3], "HEALTHCHECK", "exec")


def test_image_writes_to_its_volume_only() -> None:
    """Working directory, volume and registry are /data."""
    assert instructions(RUNTIME, "WORKDIR") == instructions(RUNTIME, "VOLUME") == ["/data"]
    assert "TOOLFUNNEL_REGISTRY__URL=sqlite:////data/" in RUNTIME
    assert "PYTHONDONTWRITEBYTECODE=1" in RUNTIME


def test_image_labels_the_projects_version() -> None:
    """The label and the compose file's tag say the version of pyproject.toml."""
    (version,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert f'image.version="{version}"' in RUNTIME
    assert gateway()["image"] == f"toolfunnel:{version}"


def test_build_context_holds_what_is_copied_and_no_more() -> None:
    """The ignore file lets through exactly the sources of COPY."""
    copies = [line.split()[:-1] for line in instructions(DOCKERFILE, "COPY") if "--from" not in line]
    sources = {source for copied in copies for source in copied if not source.startswith("--")}
    assert IGNORED[1] == "*"
    assert {line.removeprefix("!") for line in IGNORED if line.startswith("!")} == sources
    assert all((ROOT / source).exists() for source in sources)


def test_compose_publishes_on_this_machine_only() -> None:
    """Unless told otherwise, the port is open to this machine alone."""
    assert gateway()["ports"] == ["${PUBLISH_ADDRESS:-127.0.0.1}:${PUBLISH_PORT:-8000}:8000"]


def test_compose_takes_rights_away() -> None:
    """The container has a read-only file system, no capabilities, and no way to gain rights."""
    service = gateway()
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


def test_compose_keeps_the_images_health_check() -> None:
    """The health check is the image's."""
    assert "healthcheck" not in gateway()


def test_compose_waits_longer_than_the_gateway() -> None:
    """The container is not killed while running answers may still finish."""
    grace_s = ServerSettings.model_validate({}).shutdown_grace_s
    assert int(gateway()["stop_grace_period"].removesuffix("s")) > grace_s


def test_compose_requires_the_env_file() -> None:
    """Without .env nothing starts: the admin key would be missing."""
    assert gateway()["env_file"] == [{"path": ".env", "required": True}]


@pytest.fixture
def in_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Give the environment that the image's own variables and command line make."""
    for name in [name for name in os.environ if name.upper().startswith(settings.PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for assignment in instructions(RUNTIME, "ENV")[0].split():
        name, value = assignment.split("=", 1)
        if name.startswith(settings.PREFIX):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv(settings.CONFIG_VARIABLE, str(ROOT / "config.yaml"))
    monkeypatch.setenv("TOOLFUNNEL_SERVER__HOST", "0.0.0.0")
    return monkeypatch


def set_from(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables of an env file, as Docker Compose would."""
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    for name, value in dotenv_values(tmp_path / ".env").items():
        monkeypatch.setenv(name, value or "")


def test_env_example_does_not_start_unedited(in_container: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A copy that nobody filled in is refused for want of the admin key, and for nothing else."""
    set_from(EXAMPLE, tmp_path, in_container)
    with pytest.raises(ConfigurationError, match=r"admin\.key must be set"):
        load()


def test_env_example_starts_with_an_admin_key(in_container: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the key filled in, everything else can stay."""
    set_from(EXAMPLE.replace("ADMIN__KEY=", "ADMIN__KEY=a-key"), tmp_path, in_container)
    loaded = load()
    assert loaded.upstream.credentials is Credentials.PASSTHROUGH
    assert loaded.registry.url == "sqlite:////data/toolfunnel.db"


def test_env_example_shows_managed_mode_as_it_works(in_container: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its comments taken away and the mode changed, the example is a managed gateway."""
    text = re.sub(r"^# (?=TOOLFUNNEL_)", "", EXAMPLE, flags=re.MULTILINE)
    text = text.replace("ADMIN__KEY=", "ADMIN__KEY=a-key").replace("=passthrough", "=managed")
    set_from(text, tmp_path, in_container)
    loaded = load()
    assert loaded.upstream.credentials is Credentials.MANAGED
    assert [key.get_secret_value() for key in loaded.callers.keys] == ["key-of-one-team", "key-of-another"]
