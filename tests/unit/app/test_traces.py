"""Tracing: when it is off, and when it cannot be on."""

from __future__ import annotations

import sys

import pytest

from app.errors import ConfigurationError
from app.settings import Settings, TraceSettings
from app.telemetry.traces import tracing_to


def test_without_an_endpoint_there_is_no_tracing() -> None:
    """The default is off."""
    assert tracing_to(TraceSettings()) is None


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint without the packages is a mistake of the configuration."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"toolfunnel\[otel\]"):
        tracing_to(TraceSettings(endpoint="http://127.0.0.1:4318/v1/traces"))


@pytest.mark.parametrize("url", ["localhost:4318", "http://user:key@host/v1/traces", "http://host/v1?key=x"])
def test_an_endpoint_is_an_address_without_secrets(url: str) -> None:
    """Scheme, host, port and path, as for the provider."""
    with pytest.raises(ValueError, match="endpoint"):
        Settings.model_validate({"trace": {"endpoint": url}})
