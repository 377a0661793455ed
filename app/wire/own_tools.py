"""A Chat Completions request without the tools that its client sent, for a gateway that offers its catalogue's alone.

Law: what is in `Bare.body` holds no tool of the client's but provider tools of the types that are let through, and
whatever is made of it later is made of that. A name is compared without its case, as some providers read names.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from app.wire import members

# Where a client's tools are; `mcp_servers` names servers that bring more of them.
_LISTS = frozenset({"tools", "functions", "mcp_servers"})
_CHOICES = frozenset({"tool_choice", "function_call"})
_WITHOUT_TOOLS_REFUSED = _CHOICES | {"parallel_tool_calls"}  # by providers
_REQUIRED = ("required", "any")
_PLAIN = ("function", "custom", "allowed_tools")
_ENTRIES = msgspec.json.Decoder(list[msgspec.Raw])
_NAMES = msgspec.json.Decoder(dict[str, msgspec.Raw])


class NotReadable(ValueError):
    """A body of which it cannot be told what tools are in it; the text says why."""


class UnmetChoice(ValueError):
    """The request demands a tool that is not sent; the text says which."""


@dataclass(frozen=True, slots=True)
class Bare:
    """A request without its client's tools. `removed` counts them; `typed` are the types of those that stay.

    `names`, `types` and `demands` are what its tool choice asks for: tools by name, by type, or any. `legacy`: its
    tools were `functions`, and so are those that it gets.
    """

    body: bytes
    removed: int = 0
    typed: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    demands: bool = False
    legacy: bool = False


def strip(body: bytes, allowed: Collection[str]) -> Bare:
    """Return a request without its client's tools, but for provider tools of the types `allowed`.

    Raises:
        NotReadable: It is no JSON object, or has a key twice beside a list of tools.
    """
    try:
        found = members.read(body, _LISTS)
    except members.NotAnObject as error:
        raise NotReadable(str(error)) from error
    except members.DuplicateKeys as error:
        if any(key.casefold() in _LISTS for key in _NAMES.decode(members.paired(body))):
            raise NotReadable(f"the key {min(error.keys)!r} stands more than once in it") from error
        return Bare(body)
    removed, kept, lists = 0, list[tuple[str, bytes]](), set[str]()
    changes: dict[str, bytes | None] = {}
    for key, member in found.items():
        folded = key.casefold()
        if folded in _LISTS:
            entries = _entries(member.raw)
            staying = _typed(entries, allowed) if key == "tools" else []
            removed += len(entries) - len(staying)
            kept += staying
            lists.add(key if entries else "")
            changes[key] = b"[" + b",".join(raw for _, raw in staying) + b"]" if staying else None
        elif folded in _CHOICES and key not in _CHOICES:
            changes[key] = None
    legacy = "functions" in lists and "tools" not in lists
    if "functions" in lists and not legacy and "function_call" in found:
        changes["function_call"] = None
    types = tuple(kind for kind, _ in kept)
    return Bare(_edited(body, found, changes), removed, types, *_choice(found), legacy=legacy)


def settled(bare: Bare, body: bytes, sent: Collection[str]) -> bytes:
    """Return what goes out: `body`, made of `bare` with the tools `sent`. Where there is none, there is no tool choice.

    Raises:
        UnmetChoice: The request demands a tool that is not among them.
    """
    missing = [name for name in bare.names if name not in sent] + [
        kind for kind in bare.types if kind not in bare.typed
    ]
    if missing:
        raise UnmetChoice(f"it demands {missing[0][:100]!r}")
    if sent and bare.legacy:
        return _with_functions(bare.body, body)
    if sent or bare.typed:
        return body
    if bare.demands:
        raise UnmetChoice("it demands a tool")
    try:
        found = members.read(body)
    except members.DuplicateKeys:  # there was no list of tools in it
        return body
    return _edited(body, found, dict.fromkeys(_WITHOUT_TOOLS_REFUSED & found.keys()))


def _with_functions(bare: bytes, spliced: bytes) -> bytes:
    """Return a request with the tools of another in the legacy form; custom tools have none."""
    entries = [members.read(entry) for entry in _entries(members.read(spliced)["tools"].raw)]
    functions = [entry["function"].raw for entry in entries if "function" in entry]
    end = bare.rindex(b"}")
    separator = b"" if bare[:end].rstrip().endswith(b"{") else b","
    return bare[:end] + separator + b'"functions":[' + b",".join(functions) + b"]" + bare[end:] if functions else bare


def _edited(body: bytes, found: dict[str, members.Member], changes: dict[str, bytes | None]) -> bytes:
    """Return an object with values replaced, or members left out; the others stay byte for byte."""
    if not changes:
        return body
    view, parts, begin = memoryview(body), list[bytes](), body.index(b"{") + 1
    at = begin
    for key, member in found.items():
        value = changes.get(key, member.raw)
        if value is not None:
            parts.append(bytes(view[at : member.start]) + value)
        at = members.after(body, member)
    return b"".join((view[:begin], b",".join(parts), view[at - 1 :]))


def _entries(raw: bytes) -> list[bytes]:
    try:
        return [bytes(entry) for entry in _ENTRIES.decode(raw)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


def _typed(entries: list[bytes], allowed: Collection[str]) -> list[tuple[str, bytes]]:
    """Return the provider tools whose type is allowed, and said once."""
    found = []
    for raw in entries:
        try:
            member = members.read(raw).get("type")
            kind = msgspec.json.decode(member.raw) if member is not None else None
        except (members.NotAnObject, members.DuplicateKeys, msgspec.MsgspecError):
            continue
        if isinstance(kind, str) and kind in allowed and kind not in _PLAIN:
            found.append((kind, raw))
    return found


def _choice(found: dict[str, members.Member]) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Return the names and the types of tools that are demanded, and whether any tool is."""
    names, types, demands = list[str](), list[str](), False
    for choice in (_decoded(found[key].raw) for key in _CHOICES & found.keys()):
        demands = demands or choice in _REQUIRED
        if isinstance(choice, dict):
            allowed = choice.get("allowed_tools")
            inner = allowed if isinstance(allowed, dict) else choice
            listed = inner.get("tools")
            demands = demands or inner.get("mode") in _REQUIRED
            for entry in (choice, *(listed if isinstance(listed, list) else ())):
                if isinstance(entry, dict):
                    name, kind = _name(entry), entry.get("type")
                    names += [name] if name else []
                    types += [kind] if not name and isinstance(kind, str) and kind not in _PLAIN else []
    return tuple(names), tuple(types), demands


def _name(entry: dict[str, Any]) -> str:
    for inner in (entry.get("function"), entry.get("custom"), entry):
        name = inner.get("name") if isinstance(inner, dict) else None
        if isinstance(name, str):
            return name
    return ""


def _decoded(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise NotReadable(f"its tool choice: {error}") from error
