"""app/errors.py: the table from error to answer."""

import json

import pytest

from app import errors
from app.errors import (
    ANSWERS,
    Answer,
    GatewayError,
    InvalidRecords,
    Problem,
    answer_for,
    headers_for,
    openai_body,
)


def family(kind: type[GatewayError]) -> list[type[GatewayError]]:
    """Give an error class and everything below it."""
    return [kind, *(member for child in kind.__subclasses__() for member in family(child))]


EVERY_ERROR = [kind for kind in family(GatewayError) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_answers_hold_every_error(kind: type[GatewayError]) -> None:
    """Every error of the family has its own line in the table."""
    assert kind in ANSWERS


def test_answers_hold_nothing_else() -> None:
    """The table has no line for a class that is not of the family."""
    assert set(ANSWERS) == set(EVERY_ERROR)


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_tree_in_the_docstring_names_every_error(kind: type[GatewayError]) -> None:
    """The drawing at the top of the module shows every error."""
    assert kind.__name__ in str(errors.__doc__).split()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=lambda answer: answer.code)
def test_answers_have_an_error_status_and_words(answer: Answer) -> None:
    """Every answer has a 4xx or 5xx status; 4xx blame the request, 5xx the server."""
    assert 400 <= answer.status < 600
    assert (answer.type == "api_error") == (answer.status >= 500)
    assert answer.code.isidentifier()


def test_answers_have_codes_that_tell_them_apart() -> None:
    """No two errors share a code."""
    codes = [answer.code for answer in ANSWERS.values()]
    assert len(codes) == len(set(codes))


def test_answer_for_gives_the_line_of_the_errors_own_class() -> None:
    """An error answers by its own line, not by its parent's."""
    assert answer_for(errors.UpstreamTimeout()) is ANSWERS[errors.UpstreamTimeout]


def test_answer_for_gives_an_unlisted_error_its_parents_line() -> None:
    """A class without a line answers as its nearest parent that has one."""
    stranger = type("Stranger", (errors.RegistryBusy,), {})
    assert answer_for(stranger()) is ANSWERS[errors.RegistryBusy]


def test_openai_body_has_the_form_of_openais_api() -> None:
    """The body is one object `error` with message, type, param and code."""
    body = openai_body("No such tool.", ANSWERS[errors.NotFound])
    assert json.loads(body) == {
        "error": {
            "message": "No such tool.",
            "type": "invalid_request_error",
            "param": None,
            "code": "not_found",
        }
    }


def test_openai_body_carries_what_is_given_on_top() -> None:
    """Further members stand beside the message."""
    body = openai_body("no", ANSWERS[errors.InvalidRecords], problems=[{"index": 3}])
    assert json.loads(body)["error"]["problems"] == [{"index": 3}]


def test_openai_body_keeps_any_language() -> None:
    """Text that is not ASCII goes out as UTF-8, not as escapes."""
    body = openai_body("找不到工具 \N{CROSS MARK}", ANSWERS[errors.NotFound])
    assert "找不到工具 \N{CROSS MARK}".encode() in body


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=lambda answer: answer.code)
def test_headers_for_say_json(answer: Answer) -> None:
    """Every answer names its content type."""
    assert (b"content-type", b"application/json") in headers_for(answer)


@pytest.mark.parametrize(("retry", "expected"), [(True, b"true"), (False, b"false"), (None, None)])
def test_headers_for_tell_clients_whether_to_try_again(retry: bool | None, expected: bytes | None) -> None:
    """`x-should-retry` follows the table and is left out where the table says nothing."""
    assert dict(headers_for(Answer(503, "api_error", "some_code", retry=retry))).get(b"x-should-retry") == expected


def test_headers_for_a_busy_registry_name_the_wait() -> None:
    """A busy registry asks for one second of patience; others name no time."""
    assert dict(headers_for(ANSWERS[errors.RegistryBusy])).get(b"retry-after") == b"1"
    assert b"retry-after" not in dict(headers_for(ANSWERS[errors.RegistryFull]))


def test_invalid_records_names_the_first_entry_and_counts_the_rest() -> None:
    """The text names the first bad entry and how many more there are."""
    error = InvalidRecords([Problem(4, "get_weather", "no description"), Problem(9, "", "no name")])
    assert str(error) == "Nothing was imported: entry 4 (get_weather): no description (and 1 more)"
    assert [problem.index for problem in error.problems] == [4, 9]


def test_invalid_records_names_an_entry_without_a_name() -> None:
    """An entry without a name is named by its place."""
    assert str(InvalidRecords([Problem(0, "", "not an object")])) == (
        "Nothing was imported: entry 0 (no name): not an object"
    )
