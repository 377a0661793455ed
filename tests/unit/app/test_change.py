"""What of a new configuration takes effect in a running process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.errors import ConfigurationError
from app.settings import Settings, read
from app.settings.change import compare, follow


def settings(**sections: Any) -> Settings:
    """Make settings."""
    return Settings.model_validate(sections)


def test_equal_settings_change_nothing() -> None:
    """Nothing is named, and the settings stay."""
    merged, change = compare(settings(), settings())
    assert merged == settings()
    assert (change.changed, change.needs_restart) == ((), ())


@pytest.mark.parametrize(
    ("sections", "changed", "waiting"),
    [
        ({"upstream": {"base_url": "http://x/v1"}}, ["upstream.base_url"], []),
        ({"server": {"port": 9, "max_requests": 5}}, ["server.max_requests"], ["server.port"]),
        ({"log": {"level": "debug"}, "registry": {"poll_s": 9}}, ["log.level"], ["registry.poll_s"]),
        ({"encoder": {"kind": "onnx", "path": "/x"}}, [], ["encoder"]),
        ({"trace": {"sample": 0.5}}, [], ["trace.sample"]),
    ],
)
def test_each_key_changes_or_waits(sections: dict[str, Any], changed: list[str], waiting: list[str]) -> None:
    """What is opened or loaded once waits for a restart and keeps its value; the rest is in force."""
    merged, change = compare(settings(), settings(**sections))
    assert (list(change.changed), list(change.needs_restart)) == (changed, waiting)
    assert compare(merged, settings(**sections))[1].changed == ()
    assert [merged.server.port, merged.registry.poll_s] == [8000, 0.5]


def test_values_that_do_not_go_with_those_that_stay_are_refused() -> None:
    """A file for loopback without an admin key must not open a process that listens to the network."""
    old = settings(server={"host": "0.0.0.0"}, admin={"key": "secret-key"})
    with pytest.raises(ConfigurationError, match=r"admin\.key must be set.*server\.host"):
        compare(old, settings())


GUARDED = """\
server:
  max_body_bytes: 4096
  max_requests: 50
admin:
  key: the-admin-key
  max_body_bytes: 8192
upstream:
  base_url: https://provider.example/v1
  credentials: managed
  api_key: the-providers-key
callers:
  keys:
    - of-a-team
    - of-another
  pepper: 0123456789abcdef0123456789abcdef
limits:
  default:
    - 60/minute
    - 5000/day
tools:
  source: registry
select:
  max_source_share: 0.2
safety:
  allow: []
imports:
  max_tools: 10
  max_bytes: 2048
  timeout_s: 3.0
  sources:
    - name: crm
      kind: openapi
      url: https://crm.example/openapi.json
      tenant: acme
      risk: dangerous
      methods: [get]
"""


def sections() -> dict[str, Any]:
    """Return what the guarded file says."""
    values: dict[str, Any] = yaml.safe_load(GUARDED)
    return values


@pytest.mark.parametrize("top", ["", "# another file\n"], ids=["the same file", "a changed one"])
def test_a_file_that_was_cut_at_any_byte_drops_nothing(tmp_path: Path, top: str) -> None:
    """A part of a file is refused, or all that was demanded still is."""
    path = tmp_path / "config.yaml"
    path.write_text(GUARDED, encoding="utf-8")
    before, text = read(path), top + GUARDED
    refused = 0
    for end in range(len(text)):
        path.write_text(text[:end], encoding="utf-8")
        try:
            taken, _ = follow(before, read(path))
        except ConfigurationError:
            refused += 1
        else:
            no_source = before.settings.imports.model_copy(
                update={"sources": ()}
            )  # one that is not asked opens nothing
            kept = [before.settings, before.settings.model_copy(update={"imports": no_source})]
            assert taken.settings in kept, text[:end]
    assert refused >= len(GUARDED) - 2


@pytest.mark.parametrize(
    "path",
    [
        ("admin", "key"),
        ("upstream", "credentials"),
        ("upstream", "base_url"),
        ("limits", "default"),
        ("tools", "source"),
        ("safety", "allow"),
        ("select", "max_source_share"),
        ("server", "max_body_bytes"),
        ("server", "max_requests"),
        ("admin", "max_body_bytes"),
        ("imports", "max_bytes"),
        ("imports", "max_tools"),
        ("imports", "timeout_s"),
    ],
)
def test_what_protects_is_not_dropped_by_leaving_it_out(path: tuple[str, str]) -> None:
    """The message names the key and no value."""
    values = sections()
    del values[path[0]][path[1]]
    if path[1] == "credentials":
        del values["callers"]  # which are asked for in managed mode alone
    with pytest.raises(ConfigurationError, match=re.escape(".".join(path))) as refused:
        compare(settings(**sections()), settings(**values))
    assert "the-admin-key" not in str(refused.value)


@pytest.mark.parametrize("field", ["tenant", "risk", "methods"])
def test_a_source_is_not_widened_by_leaving_out(field: str) -> None:
    """Whose its tools are, what they may do and which are taken."""
    values = sections()
    del values["imports"]["sources"][0][field]
    with pytest.raises(ConfigurationError, match=f"crm has no {field}"):
        compare(settings(**sections()), settings(**values))


def test_the_last_way_to_ask_for_keys_is_not_dropped() -> None:
    """One of two ways may go; with neither callers would be asked for nothing."""
    values = sections()
    del values["callers"]["pepper"]
    without_pepper, _ = compare(settings(**sections()), settings(**values))
    assert len(without_pepper.callers.keys) == 2
    values["callers"] = {"keys": []}
    with pytest.raises(ConfigurationError, match="callers would be asked for no key"):
        compare(without_pepper, settings(**values))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"admin": {"key": "another-key"}}, "admin.key"),
        ({"callers": {"keys": ["of-a-team", "fresh"]}}, "callers.keys"),
        ({"callers": {"keys": ["of-a-team"]}}, "callers.keys"),
        ({"callers": {"keys": ["of-a-team", "of-another", "a-third"]}}, "callers.keys"),
        ({"tools": {"source": "both"}}, "tools.source"),
        ({"safety": {"allow": ["read", "write"]}}, "safety.allow"),
        ({"select": {"max_source_share": 1.0}}, "select.max_source_share"),
        ({"limits": {"default": ["1/minute", "10/day"]}}, "limits.default"),
        ({"upstream": {"base_url": "https://provider.example"}}, "upstream.base_url"),
    ],
)
def test_what_is_written_is_taken(changed: dict[str, Any], name: str) -> None:
    """Keys are replaced, added and withdrawn; what an operator writes down is loosened."""
    values = sections()
    for section, keys in changed.items():
        values[section] |= keys
    assert name in compare(settings(**sections()), settings(**values))[1].changed


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("admin", "key", "the-adm"),
        ("callers", "keys", ["of-a-team", "of-anoth"]),
        ("callers", "pepper", "0123456789abcdef0123456789abcdef"),
        ("upstream", "api_key", "the"),
        ("upstream", "base_url", "https://provider.ex"),
    ],
)
def test_a_value_that_was_cut_is_refused(section: str, key: str, value: object) -> None:
    """The beginning of a key is another key, that of an address another host."""
    values, before = sections(), sections()
    before["callers"]["pepper"] += "f"
    values["callers"]["pepper"] += "f"
    values[section][key] = value
    with pytest.raises(ConfigurationError, match=re.escape(f"{section}.{key}: it begins like")):
        compare(settings(**before), settings(**values))


def test_keys_of_which_one_begins_like_another_stay() -> None:
    """Only a fresh key can be a cut one."""
    values = sections()
    values["callers"]["keys"] = ["team", "team-2"]
    assert compare(settings(**values), settings(**values))[1].changed == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("admin: {key: a}\n", None, "the file is gone"),
        ("admin: {key: a}\n", "", "the file is empty"),
        ("admin: {key: a}\n", "# nothing\n", "the file is empty"),
        ("log: {level: info}\n", "log: {level: debug}", "no line break at its end"),
        ("log: {level: info}\n...\n", "log: {level: debug}\n", "does not end with '...'"),
        ("log:\n  level: info\nserver:\n  port: 4000", "log:\n  level: info\nserver:\n  port: 4", "no line break"),
    ],
)
def test_a_file_of_which_a_part_is_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str | None, said: str
) -> None:
    """Whatever is in it."""
    monkeypatch.chdir(tmp_path)
    path = Path("config.yaml")
    path.write_text(before, encoding="utf-8")
    old = read()
    path.unlink() if after is None else path.write_text(after, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        follow(old, read())


def test_a_file_that_never_ended_its_last_line_may_change(tmp_path: Path) -> None:
    """As programs write it that write JSON."""
    path = tmp_path / "config.yaml"
    path.write_text('{"log": {"level": "info"}}', encoding="utf-8")
    old = read(path)
    path.write_text('{"log": {"level": "debug"}}', encoding="utf-8")
    assert follow(old, read(path))[1].changed == ("log.level",)
