"""What of a new configuration takes effect in a running process."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import ConfigurationError
from app.settings import Settings
from app.settings.change import compare


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
