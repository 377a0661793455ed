"""Addresses and ports of the servers that the command line runs."""

from __future__ import annotations

import socket

import pytest

from app import serving


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("localhost", "http://localhost:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("[::1]", "http://[::1]:80"),
        ("::", "http://[::1]:80"),
    ],
)
def test_url_is_how_this_machine_reaches_a_server(host: str, address: str) -> None:
    """IPv6 stands in brackets; every address means this one."""
    assert serving.url(host, 80) == address


def test_port_0_becomes_a_free_one() -> None:
    """A free port is a real one; a port that is said is kept."""
    port = serving.port_to_use("127.0.0.1", 0)
    assert port > 0
    assert serving.port_to_use("127.0.0.1", port) == port


def test_port_that_is_taken_is_refused() -> None:
    """The message says which, why and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(serving.CannotServe, match=f"127.0.0.1:{port}: Address already in use. Choose another port"):
            serving.port_to_use("127.0.0.1", port)


def test_host_that_is_not_there_is_refused() -> None:
    """A name that does not resolve is said like a busy port."""
    with pytest.raises(serving.CannotServe, match=r"Cannot listen on no\.such\.host\.invalid:8000"):
        serving.port_to_use("no.such.host.invalid", 8000)
