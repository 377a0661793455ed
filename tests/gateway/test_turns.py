"""What a turn says, from outside: the request is found between reminders, documents and environment."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.conftest import StartGateway
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

REMINDER = "<system-reminder>\nThe todo list is empty at present. Do not mention this to the user.\n</system-reminder>"
NOTES = "<system-reminder>\n" + "- Run the tests of the invoice before each export.\n" * 40 + "</system-reminder>"
ENVIRONMENT = "<environment_details>\n# Open Tabs\n" + "src/invoice/export.ts\n" * 40 + "</environment_details>"
ASKED = "archive the coupon of last week"


def said(*texts: str) -> dict[str, Any]:
    """Give a user's message of parts."""
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


WRAPPED: dict[str, Any] = {
    "parts": said(REMINDER, ASKED, NOTES),
    "task": tools.user(f"<task>\n{ASKED}\n</task>\n\n{ENVIRONMENT}"),
    "documents": tools.user(f"<context>\n{'Export invoices and cancel flights. ' * 80}\n</context>\n\n{ASKED}"),
    "label": tools.user(f"Context:\n{'Export invoices and cancel flights. ' * 80}\n\nQuestion: {ASKED}\nAnswer:"),
    "mail": tools.user(f"{ASKED}\n\nOn Monday Rosa wrote:\n" + "> please schedule the vaccine and tell me\n" * 20),
    "date": said("Today is Sunday, 2026-11-29, 9:14 UTC.", ASKED),
}


def answer(text: str) -> dict[str, Any]:
    """Give an assistant's message."""
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize("form", WRAPPED)
def test_turns_case_01_a_wrapped_request_gets_the_list_of_the_plain_one(
    stocked_gateway: GatewayProcess, upstream: Upstream, form: str
) -> None:
    """However it is wrapped, the tools that go out are those of the question alone."""
    for message in (tools.user(ASKED), WRAPPED[form]):
        stocked_gateway.post(tools.chat([message]))
    assert "archive_coupon" in upstream.last.tool_names
    assert upstream.requests[0].tool_names == upstream.last.tool_names


def test_turns_case_02_a_list_goes_on_when_a_message_comes_back_without_its_reminders(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Clients send a message with reminders once and keep it without: the list of turn two begins with turn one's."""
    stocked_gateway.post(tools.chat([said(REMINDER, NOTES, ASKED)]))
    history = [tools.user(ASKED), answer("Done.")]
    stocked_gateway.post(tools.chat([*history, said(REMINDER, NOTES, "and schedule the vaccine for Monday")]))
    first, second = (request.tool_names for request in upstream.requests)
    assert second[: len(first)] == first
    assert {"archive_coupon", "schedule_vaccine"} <= set(second)


def test_turns_case_03_reminders_in_an_agents_loop_change_no_list(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Eight requests of one loop, a reminder as a user's message of its own after each result: one list."""
    messages = [said(REMINDER, ASKED)]
    for number in range(8):
        stocked_gateway.post(tools.chat(messages))
        messages = [*messages, *tools.called("archive_coupon"), said(REMINDER, f"<env>\nstep {number}\n</env>")]
    lists = [tools.listed(request.body) for request in upstream.requests]
    assert len(lists) == 8
    assert all(before == after for before, after in pairwise(lists))
    assert "archive_coupon" in upstream.last.tool_names


def test_turns_case_03_results_that_come_as_a_users_words_change_no_list(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """A harness without tool messages sends results as text: none of them is a turn."""
    messages = [tools.user(f"<task>\n{ASKED}\n</task>")]
    for number in range(4):
        stocked_gateway.post(tools.chat(messages))
        result = said(f"[list_files for '{number}'] Result:", "schedule_vaccine.ts\nexport_invoice.ts", ENVIRONMENT)
        messages = [*messages, answer("<list_files>"), result]
    assert len({tuple(tools.listed(request.body)) for request in upstream.requests}) == 1


@pytest.mark.parametrize(
    ("offered", "answered", "wanted"),
    [
        ("1) Archive the coupon 2) Schedule the vaccine 3) Export the invoice", "2", "schedule_vaccine"),
        ("- Archive the coupon\n- Schedule the vaccine", "the second option please", "schedule_vaccine"),
        ("I can archive the coupon, or schedule the vaccine. Which one?", "the second one", "schedule_vaccine"),
        ("Shall I schedule the vaccine?", "yes please", "schedule_vaccine"),
        ("クーポンではなく schedule the vaccine でよろしいですか？", "はい、お願いします", "schedule_vaccine"),
        ("schedule the vaccine 할까요?", "네, 부탁해요", "schedule_vaccine"),
        ("① archive the coupon ② schedule the vaccine", "第二个", "schedule_vaccine"),
    ],
)
def test_turns_case_05_an_answer_means_what_the_assistant_said(
    stocked_gateway: GatewayProcess, upstream: Upstream, offered: str, answered: str, wanted: str
) -> None:
    """A choice or a yes is searched with the words that it leans on."""
    stocked_gateway.post(tools.chat([tools.user("hi"), answer(offered), tools.user(answered)]))
    assert wanted in upstream.last.tool_names


def test_turns_case_05_thanks_after_a_question_are_thanks(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The assistant's words bring no tools where the answer does not lean on them."""
    talk = [tools.user("hi"), answer("Shall I schedule the vaccine?"), tools.user("haha, thanks a lot, bye")]
    stocked_gateway.post(tools.chat(talk))
    assert upstream.last.tool_names == []


def test_turns_case_06_what_is_odd_in_a_message_keeps_a_request_from_nothing(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Names, calls and roles that are none: the request is routed as without them."""
    odd: list[dict[str, Any]] = [
        {"role": "assistant", "tool_calls": [None], "function_call": ""},
        {"role": "assistant", "tool_calls": {}},
        {},
    ]
    stocked_gateway.post(tools.chat([*odd, tools.user(ASKED) | {"name": 5}]))
    assert "archive_coupon" in upstream.last.tool_names


def test_turns_case_11_a_quoted_mail_takes_nothing_from_a_request(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Whatever is quoted above it, the list is that of the question alone."""
    mail = "From: Rosa <rosa@corp.example>\nSubject: robots\nTo: us\n\nHello,\n\n" + "the robot is late. " * 60
    for text in (ASKED, f"{mail}\n\n-- \nRosa\n\n{ASKED}"):
        stocked_gateway.post(tools.chat(text))
    assert upstream.requests[0].tool_names == upstream.last.tool_names


def test_a_bare_system_message_is_routed(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Where nobody speaks, the instructions say what is needed."""
    stocked_gateway.post(tools.chat([{"role": "system", "content": f"You are a clerk. Every morning: {ASKED}."}]))
    assert "archive_coupon" in upstream.last.tool_names


def test_a_required_call_without_words_is_routed_by_the_instructions(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """A picture says nothing to search with, and a call is demanded: the instructions are what there is."""
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": f"Look at the picture and {ASKED}."},
        {"role": "user", "content": picture},
    ]
    stocked_gateway.post(tools.chat(messages) | {"tool_choice": "required"})
    assert "archive_coupon" in upstream.last.tool_names


def test_what_was_decided_about_a_message_is_explained(start_gateway: StartGateway) -> None:
    """`POST /admin/route` lists the parts of the last message, and what each is to the routing."""
    gateway = start_gateway()
    body = tools.encoded(tools.chat([said(REMINDER, f"{ASKED}\n\n> quoted\n> lines")]))
    explained = gateway.admin("POST", "/admin/route", content=body).json()
    assert [(part["role"], part["why"]) for part in explained["message"]] == [
        ("harness", "<system-reminder>"),
        ("request", "the person's words"),
        ("context", "quote"),
    ]
    assert explained["message"][1] == {
        "part": 2,
        "characters": len(ASKED),
        "begins": ASKED,
        "role": "request",
        "why": "the person's words",
    }
