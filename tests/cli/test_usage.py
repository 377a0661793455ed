"""What a stranger types wrong, and what it is answered."""

from __future__ import annotations

import pytest

from app import __version__
from tests.cli.command import Place


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tool"], "No such command 'tool'"),
        (["tools", "import"], "Missing argument 'FILE'"),
        (["serve", "--port", "99999"], "Invalid value for '--port'"),
        (["route", " "], "it is empty"),
    ],
    ids=" ".join,
)
def test_usage_error_exits_2_and_says_what_is_wrong(place: Place, arguments: list[str], said: str) -> None:
    """A command that is written wrong ends with 2, and nothing is made in the directory."""
    done = place.run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert list(place.path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["tools", "list"], {"TOOLFUNNEL_SERVER__PROT": "1"}, "server.prot: there is no such key"),
        (["config", "check", "--config", "my.yaml"], {}, "my.yaml: there is no such file"),
        (["serve", "--host", "0.0.0.0"], {}, "admin.key must be set"),
    ],
    ids=["unknown key", "no file", "open to the network"],
)
def test_configuration_error_exits_2(place: Place, arguments: list[str], variables: dict[str, str], said: str) -> None:
    """A configuration that cannot be used ends every command with 2 and the reason."""
    done = place.run(*arguments, variables=variables)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("The configuration cannot be used.\n")
    assert said in done.err


def test_command_without_arguments_explains_itself(place: Place) -> None:
    """The bare command lists what there is, within 80 columns."""
    done = place.in_terminal(80)
    assert max(map(len, done.out.splitlines())) <= 80
    assert all(f" {name} " in done.out for name in ("serve", "tools", "route", "config", "demo", "demo-upstream"))


def test_version_is_printed(place: Place) -> None:
    """`--version` prints name and version."""
    done = place.run("--version")
    assert (done.code, done.out) == (0, f"toolfunnel {__version__}\n")


def test_config_check_prints_what_is_in_force_without_secrets(place: Place) -> None:
    """File and environment are shown as one, secrets as stars."""
    place.write("mine.yaml", "select: {initial: 5}\nadmin: {key: my-secret}\n")
    done = place.run("config", "check", "--config", "mine.yaml", "--json", variables={"TOOLFUNNEL_SERVER__PORT": "9"})
    assert (done.code, done.json["select"]["initial"], done.json["server"]["port"]) == (0, 5, 9)
    assert done.json["admin"] == {"key": "**********", "max_body_bytes": 268435456}
    assert "my-secret" not in done.out + done.err


def test_config_check_prints_yaml_that_can_be_used_again(place: Place) -> None:
    """What it prints for people is a configuration file."""
    shown = place.run("config", "check")
    place.write("config.yaml", shown.out)
    assert (shown.code, place.run("config", "check").out) == (0, shown.out)


@pytest.mark.parametrize("command", [("tools", "list"), ("keys", "create", "Desk"), ("import", "file", "x")])
def test_a_risk_that_does_not_exist_is_refused_in_words(place: Place, command: tuple[str, ...]) -> None:
    """It says which there are, and nothing of what read it."""
    done = place.run(*command, "--risk", "foo")
    said = " ".join(done.err.replace("│", " ").split())
    assert done.code == 2
    assert "'foo' is none of read, write, dangerous" in said
    assert "Value error" not in said
