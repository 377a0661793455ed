"""What is logged of a path."""

from __future__ import annotations

import pytest

from app.gateway.paths import loggable


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/v1/audio/speech", "/v1/audio/speech"),
        ("/v1/audio/transcriptions", "/v1/audio/transcriptions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/chatcmpl-1/messages", "/v1/chat/completions/…/messages"),
        ("/v1/models/ft:gpt-4o:acme::x", "/v1/models/…"),
        ("/v1/threads/thread_1/runs/run_2/submit_tool_outputs", "/v1/threads/…/runs/…/submit_tool_outputs"),
        ("/v1/acme/secret/files", "/v1/…/…/files"),
        ("/v1/", "/v1/…"),
        ("/v1/audio//speech", "/v1/audio/…/speech"),
        ("/v1/" + "files/" * 20, "/v1/" + "files/" * 8 + "…"),
    ],
)
def test_path_is_logged_by_the_words_of_the_apis_alone(path: str, logged: str) -> None:
    """Endpoints are told apart; an id, a model's name or anything else that a caller chose is not written."""
    assert loggable(path) == logged
