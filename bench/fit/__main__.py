"""Fit, measure, write: see `bench.fit`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from threadpoolctl import threadpool_limits

from bench.fit import examples, figures, folds, learn, page, sets, tried
from bench.fit.figures import Figures, Meant
from bench.fit.folds import Fit
from bench.fit.sets import Set, family, mixed, standing
from router.embed.reading import Reading, examine
from router.embed.use import EmbeddedEncoder
from router.types import Encoder

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks"


def main(
    data: Annotated[Path, typer.Option(help="The folder of the data sets.")],
    onnx: Annotated[Path | None, typer.Option(help="An exported encoder, to measure two together.")] = None,
    precision: Annotated[str, typer.Option(help="Of the exported encoder.")] = "int8",
    out: Annotated[Path, typer.Option(help="Where retrieval-fit.md is written.")] = PAGE,
    write: Annotated[bool, typer.Option("--write", help="Write the map; the weights are printed.")] = False,
) -> None:
    """Fit map and weights, with each family of sets left out and on all; measure, and write the page."""
    learn.torch()
    with threadpool_limits(1), Progress(console=Console(stderr=True)) as progress:
        found, shipped = _run(data, onnx, precision, progress)
    out.mkdir(parents=True, exist_ok=True)
    (out / "retrieval-fit.md").write_text(page.write(found), encoding="utf-8")
    print(f"FITTED = {found.refit}")
    if write and shipped.map:
        shipped.map.write(learn.SHIPPED)
        print(f"{learn.SHIPPED} is written")


def _run(data: Path, onnx: Path | None, precision: str, progress: Progress) -> tuple[page.Findings, Fit]:
    encoder = EmbeddedEncoder()
    loaded = [*sets.load(data), sets.sample()]
    loaded = [sets.encoded(one, encoder, encoder.encode_document, progress) for one in loaded]
    second = _onnx(onnx, precision) if onnx else None
    if second:
        loaded = [sets.encoded(one, second, second.encode_query, progress) for one in loaded]
    *development, sample = loaded
    for one in progress.track(loaded, description="words"):
        _ = one.said

    lessons = {one.name: learn.lesson(one) for one in development}
    probes = learn.probes_lesson(encoder)
    left_out = folds.leave_out(development, lessons, probes, progress)
    shipped = folds.plain(encoder, learn.read_map())
    anew = folds.fit(development, lessons, probes, None)
    fits = {one.name: left_out[family(one.name)] for one in development} | {sample.name: shipped}
    reading = examine(second) if second else None
    metatool = next(one for one in development if one.name == "metatool")
    judged, past = examples.past_questions(metatool, fits["metatool"], progress)
    found = page.Findings(
        sets=loaded,
        table=_table(loaded, fits, shipped, anew, reading, progress),
        best={one.name: _best(one, fits[one.name]) for one in loaded},
        agreement=_agreement(loaded, shipped, encoder, progress),
        trials=[
            *tried.of_meaning(development, progress),
            tried.of_channels(development, progress),
            tried.of_maps(development, lessons, probes, left_out, progress),
            tried.of_weights(development, left_out, progress),
        ],
        past=past,
        own=examples.own_examples(sample, shipped, encoder),
        judged=(judged, sample),
        refit=anew.weights,
        moved=_alike(development, shipped, anew),
        weights={name: fold.weights for name, fold in left_out.items()},
        encoders=tuple(one.key for one in (encoder, second) if one),
    )
    return found, anew


def _onnx(folder: Path, precision: str) -> Encoder:
    from router.embed.onnx import OnnxEncoder

    return OnnxEncoder(folder, precision)


def _table(  # noqa: PLR0913, PLR0917
    loaded: Sequence[Set],
    fits: dict[str, Fit],
    shipped: Fit,
    anew: Fit,
    second: Reading | None,
    progress: Progress,
) -> folds.Rows:
    bare = folds.plain(loaded[0].views[0].encoder)

    def fused(one: Set, fit: Fit) -> Figures:
        return figures.of_fused(one, [fit.meant(one)], fit.weights)

    rows = {
        "words alone (BM25)": lambda one: figures.of_scores(one, one.words),
        "plain encoder alone": lambda one: figures.of_scores(one, bare.meant(one).scores),
        "reference recipe": lambda one: figures.of_reference(one, bare.meant(one).scores),
        "shipped weights, no map": lambda one: fused(one, bare),
        "unseen": lambda one: fused(one, fits[one.name]),
        "seen": lambda one: fused(one, shipped),
        "seen, fitted anew": lambda one: fused(one, anew),
    }
    if second:
        reading = second
        rows["unseen, two encoders"] = lambda one: figures.of_fused(
            one, [fits[one.name].meant(one), _other(one, reading)], fits[one.name].weights
        )
    return folds.table(loaded, rows, progress)


def _other(one: Set, reading: Reading) -> Meant:
    """Give what the second encoder says."""
    views = one.views[1]
    asked = mixed(one, views.texts, views.asked)
    return Meant(views.encoder.name, one.reads(reading), standing(one, asked, views.tools))


def _best(one: Set, fit: Fit) -> tuple[str, Figures]:
    """Give the channel with the highest R@10."""
    channels = {
        "words": one.words,
        "meaning": fit.meant(one).scores,
        "names": np.stack([said.names for said in one.said]),
    }
    found = {name: figures.of_scores(one, scores) for name, scores in channels.items()}
    return max(found.items(), key=lambda item: float(item[1][:, 1].mean()))


def _agreement(loaded: Sequence[Set], shipped: Fit, encoder: Encoder, progress: Progress) -> tuple[int, int]:
    pairs = [
        folds.agreement(one, shipped, encoder) for one in progress.track(loaded, description="as the gateway does")
    ]
    return sum(same for same, _ in pairs), sum(compared for _, compared in pairs)


def _alike(development: Sequence[Set], shipped: Fit, anew: Fit) -> float:
    """Give the mean cosine of questions moved by two maps."""
    assert shipped.map
    assert anew.map
    asked = np.concatenate([one.views[0].asked for one in development])
    return float((shipped.map.questions(asked) * anew.map.questions(asked)).sum(axis=1).mean())


if __name__ == "__main__":
    typer.run(main)
