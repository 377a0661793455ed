"""The endpoint encoder: asks an OpenAI-compatible `/embeddings` for vectors.

It blocks and is meant for the encoder's threads. Making one opens no connection, so the server starts while the
endpoint is down; then every call raises EncoderError, at once while the breaker is open, and words find the tools.
What an endpoint says in an error is not repeated: some quote the key.

Source: OpenAI API reference, "Create embeddings"; base64 is the little-endian float32 of a vector.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import NoReturn

import httpx
import msgspec
import numpy as np
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from app.digits import whole
from app.encoders.breaker import Breaker
from app.settings.encoders import EndpointSpec
from router.embed.unit import as_unit, clean
from router.errors import EncoderError
from router.types import Vectors

_ATTEMPTS = 3
_CONNECT_S = 3.0
_LONGEST_WAIT_S = 3_600
_FAILURES = 3  # in a row open the breaker
_COOL_DOWN_S = 15.0
_REFUSED = {400, 413, 422}  # these texts are refused; the endpoint is well
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504, 529}
_BACK_OFF = wait_random_exponential(multiplier=0.1, max=2.0)


class _Item(msgspec.Struct):
    index: int
    embedding: str | list[float]


class _Answer(msgspec.Struct):
    data: list[_Item]


class _Refused(EncoderError):
    """The endpoint works and does not want these texts."""


class _Transient(EncoderError):
    """Another try may succeed, after so many seconds."""

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class _Transport(httpx.HTTPTransport):
    """Uses no connection on which more came than was asked for.

    httpx looks whether there is something to read, but not whether something was read already: the next answer would be
    the one that nobody asked for, here the vectors of other texts.
    """

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        for connection in self._pool.connections:
            state = getattr(getattr(connection, "_connection", None), "_h11_state", None)
            if state is not None and connection.is_idle() and state.trailing_data[0]:
                connection.close()
        return super().handle_request(request)


class EndpointEncoder:
    """Thread-safe. `close()` it."""

    def __init__(self, spec: EndpointSpec, breaker: Breaker | None = None) -> None:
        self._spec = spec
        self._url = spec.base_url.rstrip("/") + "/embeddings"
        self._breaker = breaker or Breaker(_FAILURES, _COOL_DOWN_S)
        key = {} if spec.api_key is None else {"authorization": f"Bearer {spec.api_key.get_secret_value()}"}
        self._client = httpx.Client(
            # Packed answers are not asked for, and none is unpacked: what is small on the way can be large here.
            headers={"content-type": "application/json", "accept-encoding": "identity", **key},
            trust_env=False,
            follow_redirects=False,
            transport=_Transport(trust_env=False, limits=httpx.Limits(max_connections=4)),
        )

    @property
    def name(self) -> str:
        """Name the model, for people."""
        return self._spec.model

    @property
    def key(self) -> str:
        """Name endpoint, model, prompts and dimension."""
        spec = self._spec
        settings = repr((spec.base_url.rstrip("/"), spec.query_prompt, spec.document_prompt, spec.send_dimension))
        return f"endpoint/{spec.model}/{hashlib.sha256(settings.encode()).hexdigest()[:16]}/{spec.dimension}"

    @property
    def dimension(self) -> int:
        """Give d."""
        return self._spec.dimension

    def encode_query(self, texts: list[str]) -> Vectors:
        """Give `float32[n, d]`, unit length."""
        return self._encode([self._spec.query_prompt + clean(text) for text in texts])

    def encode_document(self, texts: list[str]) -> Vectors:
        """Give `float32[n, d]`, unit length."""
        return self._encode([self._spec.document_prompt + clean(text) for text in texts])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _encode(self, texts: list[str]) -> Vectors:
        step = self._spec.batch
        rows = [self._guarded(texts[start : start + step]) for start in range(0, len(texts), step)]
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), dtype=np.float32)

    def _guarded(self, texts: list[str]) -> Vectors:
        if not self._breaker.allows():
            self._fail("it failed several times and is left alone for a while")
        try:
            vectors = self._persistent(texts)
        except _Refused:
            self._breaker.succeeded()
            raise
        except EncoderError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return vectors

    def _persistent(self, texts: list[str]) -> Vectors:
        """Ask again after what passes by itself, as long as there is time."""
        deadline = time.monotonic() + self._spec.timeout_s
        tries = Retrying(
            retry=retry_if_exception_type(_Transient),
            stop=stop_after_attempt(_ATTEMPTS) | stop_before_delay(self._spec.timeout_s),
            wait=_wait,
            reraise=True,
        )
        return tries(self._ask, texts, deadline)

    def _ask(self, texts: list[str], deadline: float) -> Vectors:
        left_s = max(deadline - time.monotonic(), 0.001)
        timeout = httpx.Timeout(left_s, connect=min(left_s, _CONNECT_S))
        try:
            with self._client.stream("POST", self._url, content=self._body(texts), timeout=timeout) as answer:
                self._check(answer)
                raw = b"".join(self._read(answer, len(texts), deadline))
        except httpx.HTTPError as error:
            raise _Transient(self._says(type(error).__name__)) from error
        return self._vectors(raw, len(texts))

    def _body(self, texts: Sequence[str]) -> bytes:
        body: dict[str, object] = {
            "model": self._spec.model,
            "input": [text or " " for text in texts],  # an empty text is an error to some
            "encoding_format": self._spec.encoding_format,
        }
        if self._spec.send_dimension:
            body["dimensions"] = self._spec.dimension
        return msgspec.json.encode(body)

    def _check(self, answer: httpx.Response) -> None:
        message = self._says(f"it answered {answer.status_code}")
        if answer.status_code in _TRANSIENT:
            raise _Transient(message, _seconds(answer.headers.get("retry-after", "")))
        if answer.status_code in _REFUSED:
            raise _Refused(message)
        if answer.status_code != 200:
            raise EncoderError(message)
        if answer.headers.get("content-encoding", "identity") != "identity":
            self._fail("it answers packed, which was not asked for")

    def _read(self, answer: httpx.Response, count: int, deadline: float) -> Iterator[bytes]:
        """Give the body, unless it takes too long or does not end."""
        room = 2**20 + count * self.dimension * 256
        for chunk in answer.iter_bytes():
            room -= len(chunk)
            if room < 0:
                self._fail("its answer is too long")
            if time.monotonic() > deadline:
                raise _Transient(self._says("its answer takes too long"))
            yield chunk

    def _vectors(self, raw: bytes, count: int) -> Vectors:
        try:
            items = sorted(msgspec.json.decode(raw, type=_Answer).data, key=lambda item: item.index)
            rows = [_numbers(item.embedding) for item in items]
        except (msgspec.MsgspecError, ValueError) as error:
            raise EncoderError(self._says("its answer is not one of /embeddings")) from error
        if [item.index for item in items] != list(range(count)):
            self._fail(f"it gave {len(items)} vectors for {count} texts, or wrong indices")
        if wrong := {len(row) for row in rows} - {self.dimension}:
            self._fail(f"its vectors have {min(wrong)} dimensions where {self.dimension} are configured")
        return as_unit(np.stack(rows), self.dimension)

    def _fail(self, what: str) -> NoReturn:
        raise EncoderError(self._says(what))

    def _says(self, what: str) -> str:
        return f"the embeddings endpoint {self._url}: {what}"


def _numbers(embedding: str | list[float]) -> Vectors:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4").astype(np.float32)
    return np.array(embedding, dtype=np.float32)


def _seconds(retry_after: str) -> float:
    """Return a Retry-After in seconds; a date, or a time without end, counts as none."""
    return whole(retry_after, _LONGEST_WAIT_S) or 0


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(_BACK_OFF(state), error.after_s if isinstance(error, _Transient) else 0.0)
