"""Export of a sentence-transformers model to ONNX: whole, with its pooling, checked against the original.

Laws: the folder appears complete or not at all. What is written is loaded again and compared before that.
Needs the extras sentence-transformers and export; serving the result needs only onnx.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from router.embed.extras import needs
from router.embed.onnx import OUTPUT, TOKENIZER, Manifest, OnnxEncoder, graph, hash_file
from router.embed.transformer import TransformerEncoder
from router.errors import EncoderError

_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_LEAST_COSINE = 0.999  # of fp32 to the original; what is below is another model
_LONGEST = 8_192  # tokens; tools and questions are far shorter

# What an export is compared on: several languages, lengths from nothing to more than most models read.
SAMPLES = (
    "",
    "hi",
    "What will the weather be in Berlin tomorrow?",
    "明天上海的天气怎么样？",
    "東京から大阪までの新幹線を予約して",
    "내일 서울 날씨 어때?",
    "¿Cuánto cuesta enviar un paquete a México?",
    "Rappelle-moi d'acheter du pain à 18 h 30 😀",
    "get_user_by_id: Fetch one user. id: The user's numeric id. fields: name email created_at",
    "Book a table for two near the station on Friday evening, not too loud, with a vegetarian menu. " * 3,
    "カレンダーに会議を追加する。 title: 会議の題名 start: 開始時刻 attendees: 参加者のメールアドレス " * 3,
    "List every open pull request of this repository, the newest first, with its author and labels. " * 40,
)

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figures:
    """One precision of an export: its size, and how near its vectors are to the original's."""

    precision: str
    size_bytes: int
    cosine_min: float
    cosine_mean: float


@dataclass(frozen=True, slots=True)
class Export:
    """What was written."""

    folder: Path
    manifest: Manifest
    figures: tuple[Figures, ...]


def export(
    original: TransformerEncoder, folder: Path, precisions: Sequence[str], report: Report = lambda _: None
) -> Export:
    """Write an encoder as ONNX into a new folder, and compare it. `report` hears of each step.

    Raises:
        EncoderError: The folder holds something, the model is of a kind that cannot be exported, packages are
            missing, or the vectors are not the same.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise EncoderError(f"{folder} is there already: name a new folder, or remove it first")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as unfinished:
        place = Path(unfinished) / "encoder"
        place.mkdir()
        report("the graph")
        _write_graph(original, place)
        if "int8" in precisions:
            report("int8")
            _quantise(original, place)
        if "fp32" not in precisions:
            for path in place.glob(graph("fp32") + "*"):
                path.unlink()
        for path in place.iterdir():
            path.chmod(0o644)  # the exporters keep some to themselves; a server may run as someone else
        manifest = _describe(original, place)
        manifest.write(place)
        figures = tuple(_compare(original, place, p, report) for p in manifest.precisions)
        place.replace(folder)
    return Export(folder, manifest, figures)


def _write_graph(original: TransformerEncoder, place: Path) -> None:
    with needs("export"):
        import onnx  # noqa: PLC0415
        import onnxscript  # noqa: F401, PLC0415 - what torch exports with
        import torch  # noqa: PLC0415
    features = _features(original, torch)

    class Whole(torch.nn.Module):  # type: ignore[misc] # torch is an extra
        def __init__(self) -> None:
            super().__init__()
            self.model = original.model

        def forward(self, *values: Any) -> Any:
            return self.model(dict(zip(features, values, strict=True)))["sentence_embedding"]

    either = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with _exporting(original.name):
        torch.onnx.export(
            Whole().eval(),
            tuple(features.values()),
            place / graph("fp32"),
            input_names=list(features),
            output_names=[OUTPUT],
            dynamic_shapes={"values": tuple(either for _ in features)},
            external_data=True,
            verbose=False,
            dynamo=True,
        )
        written = onnx.load(place / graph("fp32"), load_external_data=False)
        written.graph.ClearField("value_info")  # shapes in between, some of them wrong where a dense layer follows
        onnx.save(written, place / graph("fp32"))
    original.model.tokenizer.backend_tokenizer.save(str(place / TOKENIZER))


def _features(original: TransformerEncoder, torch: Any) -> dict[str, Any]:
    """Give example inputs, two texts long, by name."""
    prompted = original.query_prompt or original.document_prompt
    if prompted and any(getattr(module, "include_prompt", True) is False for module in original.model):
        raise EncoderError(f"{original.name} cannot be exported: its pooling leaves the prompt's tokens out")
    made = original.model.preprocess(["An example for the exporter", "another example"])
    features = {name: value for name, value in made.items() if isinstance(value, torch.Tensor)}
    if unknown := set(features) - _INPUTS:
        raise EncoderError(f"{original.name} cannot be exported: it takes {', '.join(sorted(unknown))}")
    if not hasattr(original.model.tokenizer, "backend_tokenizer"):
        raise EncoderError(f"{original.name} cannot be exported: its tokenizer has no tokenizer.json form")
    return features


def _quantise(original: TransformerEncoder, place: Path) -> None:
    """Write int8 weights, one scale a column, of seven bits: with eight, older CPUs overflow."""
    with needs("export"):
        from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - an extra
    with _exporting(original.name):
        quantize_dynamic(
            place / graph("fp32"),
            place / graph("int8"),
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=True,
        )


def _describe(original: TransformerEncoder, place: Path) -> Manifest:
    longest = original.model.max_seq_length
    return Manifest(
        name=original.name,
        source=original.source,
        dimension=original.dimension,
        max_tokens=min(longest or 512, _LONGEST),
        query_prompt=original.query_prompt,
        document_prompt=original.document_prompt,
        modules=", ".join(_module(module) for module in original.model),
        files={path.name: hash_file(path) for path in sorted(place.iterdir())},
    )


def _module(module: Any) -> str:
    pooling = getattr(module, "pooling_mode", None)
    return type(module).__name__ if pooling is None else f"{type(module).__name__}({pooling})"


def _compare(original: TransformerEncoder, place: Path, precision: str, report: Report) -> Figures:
    report(f"comparing {precision}")
    copy = OnnxEncoder(place, precision)
    texts = list(SAMPLES)
    cosines = np.concatenate(
        [
            np.sum(original.encode_query(texts) * copy.encode_query(texts), axis=1),
            np.sum(original.encode_document(texts) * copy.encode_document(texts), axis=1),
        ]
    )
    if precision == "fp32" and cosines.min() < _LEAST_COSINE:
        raise EncoderError(f"{original.name} cannot be exported: cosine to the original is only {cosines.min():.4f}")
    size = sum(path.stat().st_size for path in place.glob(graph(precision) + "*"))
    return Figures(precision, size, float(cosines.min()), float(cosines.mean()))


@contextmanager
def _exporting(name: str) -> Iterator[None]:
    """Keep what the exporters say to themselves, and say in our words that they failed."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        raise EncoderError(f"{name} cannot be exported: {error}") from error
    finally:
        logging.disable(disabled)
