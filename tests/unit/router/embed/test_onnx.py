"""The ONNX encoder: the same vectors as the original, from files that are the exported ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from router.embed import onnx
from router.embed.export import Export
from router.embed.onnx import OnnxEncoder
from router.embed.transformer import TransformerEncoder
from router.errors import EncoderError
from router.types import Vectors

# None of these is one that the export compares on.
TEXTS = [
    "Cancel my flight",
    "取消我明天去北京的航班，并退款到原来的信用卡",
    "来週の会議室を予約してください",
    "이번 주말 부산 호텔을 찾아줘",
    "Wie spät ist es in Tokio?",
    "कल मौसम कैसा रहेगा?",
    "\N{ZERO WIDTH SPACE}",
    "half \ud83d",
    "x" * 3_000,
    "search_files: Search files by name. pattern: The glob. limit: How many at most. " * 60,
]


def cosines(a: Vectors, b: Vectors) -> Vectors:
    """Give the cosine of each row of `a` with its row of `b`."""
    found: Vectors = np.sum(a * b, axis=1)
    return found


def test_fp32_gives_the_original_s_vectors(fp32: OnnxEncoder, minilm: TransformerEncoder) -> None:
    """Questions and tools in many languages and lengths have a cosine of 0.999 or more to the original."""
    assert cosines(fp32.encode_query(TEXTS), minilm.encode_query(TEXTS)).min() >= 0.999
    assert cosines(fp32.encode_document(TEXTS), minilm.encode_document(TEXTS)).min() >= 0.999


def test_int8_is_near_the_original(int8: OnnxEncoder, minilm: TransformerEncoder) -> None:
    """Seven-bit weights keep a cosine of 0.95 at least, and 0.97 on average."""
    found = cosines(int8.encode_query(TEXTS), minilm.encode_query(TEXTS))
    assert found.min() >= 0.95
    assert found.mean() >= 0.97


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_encode_does_not_depend_on_its_company(exported: Export, precision: str) -> None:
    """A text has the very same vector alone, among others, and beside other threads."""
    encoder = OnnxEncoder(exported.folder, precision)
    together = encoder.encode_query(TEXTS)
    with ThreadPoolExecutor(4) as threads:
        alone = list(threads.map(lambda text: encoder.encode_query([text])[0], TEXTS))
    assert np.array_equal(together, np.stack(alone))


def test_encode_gives_unit_vectors(int8: OnnxEncoder) -> None:
    """Every text has one row of length one, and no texts give no rows."""
    vectors = int8.encode_document(TEXTS)
    assert vectors.shape == (len(TEXTS), int8.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert int8.encode_query([]).shape == (0, 384)


def test_key_names_precision_and_dimension(fp32: OnnxEncoder, int8: OnnxEncoder) -> None:
    """The precisions are two encoders of one name."""
    assert fp32.key != int8.key
    assert fp32.name == int8.name == "model"
    assert fp32.key.startswith("onnx/model/fp32/")
    assert fp32.key.endswith("/384")


def test_key_is_that_of_the_content(exported: Export, fp32: OnnxEncoder, tmp_path: Path) -> None:
    """A copy has the same key; a prompt makes another one."""
    copy = shutil.copytree(exported.folder, tmp_path / "copy")
    assert OnnxEncoder(copy).key == fp32.key
    amend(copy, query_prompt="query: ")
    assert OnnxEncoder(copy).key != fp32.key


def test_serving_needs_no_torch(exported: Export) -> None:
    """Loading and encoding imports neither torch nor transformers."""
    program = (
        "import sys, pathlib; from router.embed.onnx import OnnxEncoder;"
        "OnnxEncoder(pathlib.Path(sys.argv[1])).encode_query(['hello']);"
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, exported.folder], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


def amend(folder: Path, **changes: Any) -> None:
    """Change what a folder says about itself."""
    path = folder / onnx.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(folder: Path, precision: str = "int8") -> str:
    """Give the reason for which a folder is refused."""
    with pytest.raises(EncoderError) as caught:
        OnnxEncoder(folder, precision)
    return str(caught.value)


@pytest.fixture
def folder(exported: Export, tmp_path: Path) -> Path:
    """A copy of the export without its large files."""
    leave_out = shutil.ignore_patterns("fp32.onnx.data")
    return Path(shutil.copytree(exported.folder, tmp_path / "copy", ignore=leave_out))


def test_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    """The message says which command makes such a folder."""
    assert "toolfunnel encoder export" in refusal(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', "\xff"])
def test_broken_manifest_is_refused(tmp_path: Path, text: str) -> None:
    """What is no manifest is an encoder error that names the file."""
    (tmp_path / onnx.MANIFEST).write_bytes(text.encode("latin-1"))
    assert "encoder.json cannot be read" in refusal(tmp_path)


def test_manifest_of_another_format_is_refused(folder: Path) -> None:
    """A later format says that it is one."""
    amend(folder, format=2)
    assert "has format 2, this version reads 1" in refusal(folder)


def test_precision_that_was_not_exported_is_refused(folder: Path) -> None:
    """The message names the precisions that are there."""
    assert refusal(folder, "fp16") == "precision fp16 was not exported; there is: fp32, int8"


def test_missing_file_is_refused(folder: Path) -> None:
    """A file that the manifest names must be there."""
    assert "fp32.onnx.data cannot be read: No such file" in refusal(folder, "fp32")


@pytest.mark.parametrize("name", ["int8.onnx", "int8.onnx.data", "tokenizer.json"])
def test_changed_file_is_refused(folder: Path, name: str) -> None:
    """One byte more, and it is not what was exported."""
    with (folder / name).open("ab") as file:
        file.write(b" ")
    assert f"{name} is not the file that was exported" in refusal(folder)


@pytest.mark.parametrize("name", ["int8.onnx", "tokenizer.json"])
def test_file_that_cannot_be_loaded_is_refused(folder: Path, name: str) -> None:
    """What was written as it is, but is no graph or no tokenizer, is an encoder error that names the file."""
    (folder / name).write_bytes(b"nothing of the kind")
    files = json.loads((folder / onnx.MANIFEST).read_text())["files"]
    amend(folder, files=files | {name: onnx.hash_file(folder / name)})
    assert f"{name} cannot be loaded: " in refusal(folder)


@pytest.mark.parametrize("error", [RuntimeError, Exception, KeyError])
def test_failure_of_the_runtime_is_an_encoder_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Whatever the runtime raises is told in the core's words; its own errors derive from nothing but Exception."""
    encoder = OnnxEncoder(folder, "int8")

    class Broken:
        def run(self, *_: object) -> None:
            raise error("no memory")

    monkeypatch.setattr(encoder, "_session", Broken())
    with pytest.raises(EncoderError, match=r"model could not encode: .?no memory"):
        encoder.encode_query(["text"])
