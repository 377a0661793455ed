"""The commands as one types them: what is held and approved, what is refused, and how each of them ends."""

from __future__ import annotations

import socket

import pytest

from app.errors import SourceRefused
from app.imports.service import Imports
from tests.cli.command import Place
from tests.imports.conftest import Import
from tests.support.mcp_servers import McpServer, tool

HIDDEN = """
openapi: 3.1.0
paths:
  /a: {get: {operationId: a}}
  /b: {get: {operationId: b, summary: "x\\u200by"}}
"""


def test_a_changed_definition_is_shown_and_approved(place: Place, server: McpServer) -> None:
    """The command that imports says that something waits; the one that approves shows it, before and now."""
    server.tools = [tool("mail", "Send a mail."), tool("other")]
    assert place.run("import", "mcp", server.url, "--source", "crm", "--risk", "read").code == 0
    server.tools = [tool("mail", "Send a mail to me."), tool("other")]
    again = place.run("sources", "sync", "crm")
    assert again.out == "crm: 0 new, 1 changed, 0 gone, 1 unchanged\n~ crm__mail (description)\n"
    assert "1 of 2 tools can be offered now" in again.err
    assert "   1  waiting for approval (source crm): toolfunnel tools approve --source crm" in again.err
    kept = {row["name"]: row["withheld"] for row in place.run("route", "Send a mail", "--json").json["tools"]}
    assert kept["crm__mail"]["reasons"][0].startswith("waits for approval since 20")
    assert kept["crm__mail"]["do"] == ["toolfunnel tools approve crm__mail"]
    shown = place.run("tools", "approve").out
    assert "  - description: Send a mail.\n  + description: Send a mail to me.\n" in shown
    assert place.run("route", "Send a mail", "--json").json["sent"] == ["crm__other"]
    other = place.run("tools", "approve", "crm__mail", "--digest", "0123456789ab")
    assert (other.code, "another definition" in other.err) == (1, True)
    digest = shown.split("digest ")[1].split()[0]
    assert place.run("tools", "approve", "crm__mail", "--digest", digest).out == "1 tool approved\n"


def test_an_import_says_what_can_be_offered(place: Place, server: McpServer) -> None:
    """How many tools of the source can be, and what to set for the others; dry or not, and whose the tenant's are."""
    server.tools = [tool(f"read_{i}") for i in range(3)]
    dry = place.run("import", "mcp", server.url, "--source", "crm", "--risk", "write", "--tenant", "acme", "--dry-run")
    assert [line.strip() for line in dry.err.splitlines()][-3:] == [
        "0 of 3 tools can be offered now",
        "3  risk write, not in safety.allow: add write to safety.allow",
        "3  tenant acme: to callers whose key names it",
    ]
    allowed = {"TOOLFUNNEL_SAFETY__ALLOW": '["read","write"]'}
    done = place.run("import", "mcp", server.url, "--source", "crm", "--risk", "write", "--json", variables=allowed)
    assert done.json["offer"] == {"tools": 3, "now": 3, "withheld": [], "tenants": {}}


def test_what_cannot_be_taken_is_told_and_skipped(place: Place) -> None:
    """Every reason with its tool, and nothing is imported; `--skip` takes the others and says what it leaves out."""
    place.write("api.yaml", HIDDEN)
    refused = place.run("import", "openapi", "api.yaml", "--source", "api")
    assert (refused.code, place.count("tools")) == (1, 0)
    assert refused.err.startswith("api__b: tool: text that people do not see")
    skipped = place.run("import", "openapi", "api.yaml", "--source", "api", "--skip", "--dry-run")
    assert skipped.out.startswith(
        "api: would be: 1 new, 0 changed, 0 gone, 0 unchanged\n+ api__a\nrefused: GET /b: tool: text"
    )


def test_what_a_bad_tool_costs_and_what_providers_refuse_is_printed(place: Place, server: McpServer) -> None:
    """Without `--skip` every bad tool by its name; with it, what was left out, and a line for each kind of warning."""
    either = {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    listed = [{"name": name, "inputSchema": either} for name in ("one", "two", "three", "four")]
    server.raw = {"tools": [*listed, {"name": "bare"}, {"name": ""}]}
    refused = place.run("import", "mcp", server.url, "--source", "crm")
    assert (refused.code, place.count("tools")) == (1, 0)
    assert refused.err.splitlines()[:2] == [
        "bare: it has no inputSchema, so that nobody can tell what it takes",
        "tool 6: its name is empty",
    ]
    done = place.run("import", "mcp", server.url, "--source", "crm", "--skip")
    assert done.code == 0
    assert "refused: bare: it has no inputSchema" in done.out
    (warning,) = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert warning.startswith(
        "warning: crm__one, crm__two, crm__three and 1 more: combinators at the top of parameters"
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["sources", "sync", "nothing"], "There is no source 'nothing'"),
        (["import", "openapi", "absent.json", "--source", "x"], "absent.json: No such file or directory"),
        (["import", "mcp", "server.py", "--source", "x"], "an MCP server has a url or a command"),
    ],
)
def test_what_cannot_be_done_ends_with_a_reason(place: Place, arguments: list[str], reason: str) -> None:
    """Exit code 1 and a sentence."""
    done = place.run(*arguments)
    assert done.code == 1
    assert reason in done.err


def test_mcp_without_its_extra_says_what_to_install(place: Place) -> None:
    """The SDK is an extra; without it everything else works."""
    place.write("mcp.py", "raise ImportError")
    done = place.run("import", "mcp", "http://127.0.0.1/", "--source", "x", variables={"PYTHONPATH": str(place.path)})
    assert (done.code, done.err) == (1, "MCP servers need an extra: pip install 'toolfunnel[mcp]'\n")


@pytest.mark.parametrize("kind", ["mcp", "openapi"])
async def test_a_server_that_never_answers_is_given_up(kind: str, take: Import, work: Imports) -> None:
    """A port that takes the connection and says nothing is given up when the time is over."""
    work.settings = work.settings.model_copy(update={"timeout_s": 1.0})
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SourceRefused, match=r"http://127\.0\.0\.1"):
        await take(kind=kind, url=f"http://127.0.0.1:{silent.getsockname()[1]}/mcp")


async def test_a_command_that_is_not_there_is_refused(take: Import) -> None:
    """What the system says is told."""
    with pytest.raises(SourceRefused, match="No such file"):
        await take(command=("/no/such/command",))
