"""The ONNX encoder: what `toolfunnel encoder export` wrote, served by onnxruntime and tokenizers alone.

A folder holds `encoder.json` (a `Manifest`), `tokenizer.json`, and a graph for each precision with its weights in a
file beside it: numbers of tokens in, one vector a text out; pooling is part of the graph.

Laws: one text at a time. So a text has one vector whatever its company (int8 scales its numbers over a whole batch),
nothing is padded, and on one core it is no slower than batches are. Files that are not those of the manifest are
refused, because stored vectors go by the key that is made of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from router.embed.extras import needs
from router.embed.unit import as_unit, clean
from router.errors import EncoderError
from router.types import Vectors

MANIFEST = "encoder.json"
TOKENIZER = "tokenizer.json"
OUTPUT = "vectors"
PRECISIONS = ("fp32", "int8")
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder says about itself. `files` are SHA-256 by name; `modules` are for people."""

    name: str
    source: str
    dimension: int
    max_tokens: int
    query_prompt: str
    document_prompt: str
    modules: str
    files: dict[str, str]
    format: int = FORMAT

    @property
    def precisions(self) -> tuple[str, ...]:
        """Name the precisions that are there."""
        return tuple(p for p in PRECISIONS if graph(p) in self.files)

    def write(self, folder: Path) -> None:
        """Write it."""
        (folder / MANIFEST).write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def graph(precision: str) -> str:
    """Name the file of a graph; its weights are in the one with `.data` behind it."""
    return f"{precision}.onnx"


def read_manifest(folder: Path) -> Manifest:
    """Read what a folder says about itself.

    Raises:
        EncoderError: It is no such folder, or of another version.
    """
    try:
        values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**values)
    except FileNotFoundError as error:
        raise EncoderError(f"{folder} has no {MANIFEST}: 'toolfunnel encoder export MODEL DIR' writes one") from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise EncoderError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise EncoderError(
            f"{folder / MANIFEST} has format {manifest.format}, this version reads {FORMAT}: export anew"
        )
    return manifest


def hash_file(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class OnnxEncoder:
    """Loads at construction. Thread-safe: a session and a tokenizer only read."""

    def __init__(self, folder: Path, precision: str = "fp32") -> None:
        """Load one precision of an exported folder.

        Raises:
            EncoderError: The folder is incomplete or changed, has no such precision, or packages are missing.
        """
        self._manifest = read_manifest(folder)
        self._precision = precision
        files = self._files()
        _check(folder, files)
        digest = hashlib.sha256(json.dumps([asdict(self._manifest) | {"files": files, "source": ""}]).encode())
        self._digest = digest.hexdigest()[:16]
        self._tokenizer = _tokenizer(folder / TOKENIZER, self._manifest.max_tokens)
        self._session = _session(folder / graph(precision))
        self._inputs = [put.name for put in self._session.get_inputs()]

    @property
    def name(self) -> str:
        """Name the model, for people."""
        return self._manifest.name

    @property
    def key(self) -> str:
        """Name model, precision, files and dimension."""
        return f"onnx/{self._manifest.name}/{self._precision}/{self._digest}/{self.dimension}"

    @property
    def dimension(self) -> int:
        """Give d."""
        return self._manifest.dimension

    def encode_query(self, texts: list[str]) -> Vectors:
        """Give `float32[n, d]`, unit length."""
        return self._encode(self._manifest.query_prompt, texts)

    def encode_document(self, texts: list[str]) -> Vectors:
        """Give `float32[n, d]`, unit length."""
        return self._encode(self._manifest.document_prompt, texts)

    def _encode(self, prompt: str, texts: list[str]) -> Vectors:
        try:
            return as_unit([self._one(prompt + clean(text)) for text in texts], self.dimension)
        except Exception as error:  # what the runtime and the tokenizer raise has no base class but this
            raise EncoderError(f"{self.name} could not encode: {error}") from error

    def _one(self, text: str) -> Vectors:
        tokens = self._tokenizer.encode(text)
        known = {"input_ids": tokens.ids, "attention_mask": tokens.attention_mask, "token_type_ids": tokens.type_ids}
        vector: Vectors = self._session.run([OUTPUT], {name: np.array([known[name]]) for name in self._inputs})[0][0]
        return vector

    def _files(self) -> dict[str, str]:
        if self._precision not in self._manifest.precisions:
            there = ", ".join(self._manifest.precisions) or "none"
            raise EncoderError(f"precision {self._precision} was not exported; there is: {there}")
        start = graph(self._precision)
        return {name: sha for name, sha in self._manifest.files.items() if name == TOKENIZER or name.startswith(start)}


def _check(folder: Path, files: dict[str, str]) -> None:
    for name, expected in files.items():
        try:
            found = hash_file(folder / name)
        except OSError as error:
            raise EncoderError(f"{folder / name} cannot be read: {error.strerror}") from error
        if found != expected:
            raise EncoderError(f"{folder / name} is not the file that was exported: export anew")


def _tokenizer(path: Path, max_tokens: int) -> Any:
    with needs("onnx"):
        from tokenizers import Tokenizer  # noqa: PLC0415 - an extra
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # it raises nothing more particular
        raise EncoderError(f"{path} cannot be loaded: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _session(path: Path) -> Any:
    with needs("onnx"):
        import onnxruntime as runtime  # noqa: PLC0415 - an extra
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no name of their own
        raise EncoderError(f"{path} cannot be loaded: {error}") from error
