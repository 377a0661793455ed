"""Which addresses a URL of a source may lead to: those of the public internet, and networks that the operator allows.

An IPv4 address stays what it is in whichever form IPv6 carries it: mapped, 6to4, Teredo, NAT64, ISATAP.
Source: IANA special-purpose address registries; RFC 3056, 4380, 5214, 6052, 8215.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]

_PORTS = frozenset((80, 443))  # below 1024; what else listens there speaks no HTTP
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_NEVER = (ipaddress.IPv6Network("fec0::/10"), ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("100::/64"))
_ISATAP = (0x00005EFE, 0x02005EFE)


class Refusal(Exception):
    """An address that may not be asked; the text says which and why."""


async def resolved(host: str, port: int) -> list[str]:
    """Give the addresses of a host.

    Raises:
        OSError: It has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


async def allowed_addresses(host: str, port: int, networks: Sequence[str], resolve: Resolve = resolved) -> list[str]:
    """Resolve a host, once; give its addresses, all of which are allowed.

    Raises:
        Refusal: It has none, one of them is not allowed, or the port is not.
    """
    try:
        addresses = await resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise Refusal(f"the name {host!r} cannot be resolved") from error
    allowed = [ipaddress.ip_network(network) for network in networks]
    for address in addresses:
        _check(host, ipaddress.ip_address(address.partition("%")[0]), port, allowed)
    if not addresses:
        raise Refusal(f"the name {host!r} has no address")
    return addresses


def _check(
    host: str, address: Address, port: int, allowed: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]
) -> None:
    if any(address.version == network.version and address in network for network in allowed):
        return
    if not is_public(address):
        of = "" if host == str(address) else f" of {host!r}"
        raise Refusal(f"the address {address}{of} is not of the public internet, and not in imports.allow_networks")
    if port < 1024 and port not in _PORTS:
        raise Refusal(f"port {port} is not one of the web")


def is_public(address: Address) -> bool:
    """Tell whether an address is of the public internet, and every one that it carries."""
    return all(one.is_global and not one.is_multicast and not one.is_reserved for one in _carried(address)) and not any(
        address in network for network in _NEVER if address.version == 6
    )


def _carried(address: Address) -> Iterator[Address]:
    if not isinstance(address, ipaddress.IPv6Address):
        yield address
        return
    packed = int(address)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in _NAT64) or (packed >> 32) & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(packed & 0xFFFFFFFF)
