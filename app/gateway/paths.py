"""What of a path may be logged: words that the APIs below /v1 are made of. All else may name a caller's things."""

from __future__ import annotations

_MOST = 8  # segments; no API goes deeper
_HIDDEN = "…"
# OpenAI, Anthropic, and what servers of open models add. A word more costs nothing, an id shown would be a leak.
_WORDS = frozenset(
    [
        "accept",
        "alpha",
        "assistants",
        "audio",
        "batches",
        "calls",
        "cancel",
        "chat",
        "checkpoints",
        "classify",
        "client_secrets",
        "compact",
        "completions",
        "containers",
        "content",
        "conversations",
        "count_tokens",
        "detokenize",
        "edits",
        "embeddings",
        "evals",
        "events",
        "file_batches",
        "files",
        "fine_tuning",
        "generations",
        "graders",
        "hangup",
        "images",
        "input_items",
        "input_tokens",
        "items",
        "jobs",
        "messages",
        "models",
        "moderations",
        "output_items",
        "parts",
        "pause",
        "permissions",
        "pooling",
        "realtime",
        "refer",
        "reject",
        "remix",
        "rerank",
        "responses",
        "results",
        "resume",
        "run",
        "runs",
        "score",
        "search",
        "sessions",
        "skills",
        "speech",
        "steps",
        "submit_tool_outputs",
        "threads",
        "tokenize",
        "transcription_sessions",
        "transcriptions",
        "translations",
        "uploads",
        "validate",
        "variations",
        "vector_stores",
        "versions",
        "videos",
        "voice_consents",
        "voices",
    ]
)


def loggable(path: str) -> str:
    """Return a path below /v1 with everything but known words as one `…` each."""
    segments = path.removeprefix("/v1/").split("/")
    shown = [segment if segment in _WORDS else _HIDDEN for segment in segments[:_MOST]]
    cut = [_HIDDEN] if len(segments) > _MOST and shown[-1] != _HIDDEN else []
    return "/".join(["/v1", *shown, *cut])
