"""Tools to test with: distinct, realistic, the same every time. And request bodies to put them into."""

from __future__ import annotations

import json
from itertools import islice, product
from typing import Any

import msgspec

_ACTIONS = {
    "list": "List all {0}s, newest first, with paging.",
    "get": "Show one {0} in full by its number.",
    "create": "Create a new {0} for {1}.",
    "update": "Change fields of an existing {0}.",
    "archive": "Move a finished {0} to the archive, from where it can be restored.",
    "export": "Write every {0} of a period into a spreadsheet file.",
    "share": "Give a colleague access to a {0} by e-mail.",
    "approve": "Approve a {0} that waits for a decision about {1}.",
    "schedule": "Plan a {0} for a later date and time.",
    "compare": "Show the differences between two versions of a {0}.",
}
_THINGS = {
    "invoice": "billing a customer",
    "contract": "a legal agreement",
    "shipment": "goods on their way",
    "meeting": "people who need to talk",
    "holiday": "paid leave of an employee",
    "expense": "money spent while travelling",
    "candidate": "an open position",
    "server": "a machine in the data centre",
    "certificate": "encrypted connections",
    "database": "stored records",
    "campaign": "advertising by newsletter",
    "coupon": "a discount at the checkout",
    "recipe": "cooking a dish",
    "playlist": "songs to listen to",
    "photo": "pictures from a camera",
    "flight": "travelling by air",
    "hotel_room": "staying overnight",
    "taxi": "a ride across town",
    "prescription": "medicine from a pharmacy",
    "blood_test": "laboratory values of a patient",
    "lesson": "pupils at a school",
    "exam": "grading students",
    "thesis": "academic writing",
    "parcel_locker": "picking up deliveries",
    "sensor": "temperature and humidity readings",
    "lamp": "light in a room",
    "thermostat": "heating a home",
    "robot": "automated cleaning",
    "vaccine": "protection against a disease",
    "tournament": "teams that play against each other",
}


def function(name: str, description: str = "", **extra: Any) -> dict[str, Any]:
    """Give a function tool; `extra` goes beside `function`."""
    properties = {"number": {"type": "string", "description": "Which one."}}
    body = {
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties},
    }
    return {"type": "function", "function": body, **extra}


def distinct(count: int, prefix: str = "") -> list[dict[str, Any]]:
    """Give so many function tools (300 at most), the same every time; `prefix` makes their names unique."""
    pairs = list(islice(product(_THINGS.items(), _ACTIONS.items()), count))
    assert len(pairs) == count
    return [function(f"{prefix}{verb}_{thing}", text.format(thing, topic)) for (thing, topic), (verb, text) in pairs]


def custom(name: str, description: str = "") -> dict[str, Any]:
    """Give a custom tool."""
    return {
        "type": "custom",
        "custom": {"name": name, "description": description, "format": {"type": "text"}},
    }


def record(tool: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Give a record of the catalogue."""
    return {"tool": tool, **fields}


def name_of(tool: dict[str, Any]) -> str:
    """Give a tool's name."""
    name: str = (tool.get("function") or tool.get("custom") or tool)["name"]
    return name


def thing_of(tool: dict[str, Any]) -> str:
    """Give the thing that a tool of `distinct` is about."""
    return name_of(tool).partition("_")[2]


def listed(body: bytes, key: str = "tools") -> list[bytes]:
    """Give the entries of a request's tool list, each byte for byte."""
    entries = msgspec.json.decode(body, type=dict[str, msgspec.Raw])[key]
    return [bytes(entry) for entry in msgspec.json.decode(entries, type=list[msgspec.Raw])]


def user(text: str) -> dict[str, Any]:
    """Give a user's message."""
    return {"role": "user", "content": text}


def called(name: str, call_id: str = "call_1") -> list[dict[str, Any]]:
    """Give an assistant's call of a tool and the tool's answer."""
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "done"},
    ]


def chat(messages: str | list[dict[str, Any]], tools: object = None, **fields: Any) -> dict[str, Any]:
    """Give the body of a chat request; a string is a single question."""
    listed = [user(messages)] if isinstance(messages, str) else messages
    return {"model": "scripted", "messages": listed, **({} if tools is None else {"tools": tools}), **fields}


def encoded(body: object) -> bytes:
    """Write a body as the official client does: compact, nothing escaped."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
