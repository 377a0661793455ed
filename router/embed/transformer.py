"""The sentence-transformers encoder: any model in a folder or in the local cache of the hub, on the CPU.

Laws: it never opens a connection; what is not on this machine is refused with the command that fetches it. It runs no
code that comes with a model. One thread, one text at a time: a text has one vector whatever its company.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np

from router.embed.extras import needs
from router.embed.unit import as_unit, clean
from router.errors import EncoderError
from router.types import Vectors

_WEIGHTS = {".safetensors", ".bin"}
_IDENTITY = _WEIGHTS | {".json", ".txt", ".model"}
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")


class TransformerEncoder:
    """Loads at construction, seconds and the size of the weights. Thread-safe."""

    def __init__(
        self,
        model: str,
        *,
        dimension: int | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
    ) -> None:
        """Take a folder or a hub id. `dimension` cuts vectors; prompts default to the model's own.

        Raises:
            EncoderError: Packages are missing, or the model is not on this machine or cannot be loaded.
        """
        with needs("sentence-transformers"):
            import torch  # noqa: PLC0415 - an extra, and seconds
        torch.set_num_threads(1)
        self._torch = torch
        folder, self.source = _find(model)
        self.model = _load(folder)
        self.query_prompt = _prompt(self.model, ("query",)) if query_prompt is None else query_prompt
        self.document_prompt = _prompt(self.model, _DOCUMENT_PROMPTS) if document_prompt is None else document_prompt
        self._name = Path(self.source.partition("@")[0]).name
        self._tokenizing = threading.Lock()  # the library's tokenizers refuse two threads at once
        whole = len(self._one("dimension", self.query_prompt, "query"))
        if dimension is not None and dimension > whole:
            raise EncoderError(f"{model} gives {whole} dimensions, {dimension} are wanted")
        self._dimension = dimension or whole

    @property
    def name(self) -> str:
        """Name the model, for people."""
        return self._name

    @property
    def key(self) -> str:
        """Name model, content, prompts and dimension."""
        prompts = hashlib.sha256(repr((self.query_prompt, self.document_prompt)).encode()).hexdigest()[:8]
        return f"sentence-transformers/{self.source}/{prompts}/{self._dimension}"

    @property
    def dimension(self) -> int:
        """Give d."""
        return self._dimension

    def encode_query(self, texts: list[str]) -> Vectors:
        """Give `float32[n, d]`, unit length."""
        return self._encode(texts, self.query_prompt, "query")

    def encode_document(self, texts: list[str]) -> Vectors:
        """Give `float32[n, d]`, unit length."""
        return self._encode(texts, self.document_prompt, "document")

    def _encode(self, texts: list[str], prompt: str, task: str) -> Vectors:
        try:
            return as_unit([self._one(clean(text), prompt, task) for text in texts], self._dimension)
        except Exception as error:  # a model may raise anything
            raise EncoderError(f"{self._name} could not encode: {error}") from error

    def _one(self, text: str, prompt: str, task: str) -> Vectors:
        with self._torch.inference_mode():
            with self._tokenizing:
                features = self.model.preprocess([text], prompt=prompt or None, task=task)
            vector: Vectors = self.model(features, task=task)["sentence_embedding"][0].float().numpy()
        return np.array(vector)


def _find(model: str) -> tuple[Path, str]:
    """Give the folder of a model, and its name with its content or revision."""
    folder = Path(model)
    if folder.is_dir():
        return folder, f"{folder.resolve().name}@{_digest(folder)}"
    with needs("sentence-transformers"):
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - an extra
    try:
        cached = Path(snapshot_download(model, local_files_only=True))
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"{model} is neither a folder nor in the local cache of the hub, and nothing is downloaded here. "
            f"Fetch it with 'hf download {model}', or name the folder it is in."
        ) from error
    return cached, f"{model}@{cached.name}"


def _load(folder: Path) -> Any:
    with needs("sentence-transformers"):
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - an extra, and seconds
        from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415
    disable_progress_bar()
    try:
        loaded = SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise EncoderError(f"{folder} could not be loaded as a sentence-transformers model: {error}") from error
    return loaded.float().eval()  # half precision is slow on a CPU


def _prompt(model: Any, names: tuple[str, ...]) -> str:
    """Give the model's own prompt of one of these names, or its default one."""
    found = (model.prompts[name] for name in (*names, model.default_prompt_name) if model.prompts.get(name))
    return next(found, "")


def _digest(folder: Path) -> str:
    """Give a hash over the files that make the vectors."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in _IDENTITY and path.is_file())
    hashed = hashlib.sha256()
    for path in files:
        hashed.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            hashed.update(hashlib.file_digest(file, "sha256").digest())
    return hashed.hexdigest()[:16]
