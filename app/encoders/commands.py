"""`toolfunnel encoder`: what is done to encoders outside the server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.settings.encoders import Precision
from app.terminal import err, given, out, print_json

if TYPE_CHECKING:
    from router.embed.export import Export

encoder = typer.Typer(help="The encoders that make vectors.", no_args_is_help=True)


@encoder.callback()
def common() -> None:
    """Keep `export` a command of its own while it is the only one."""


@encoder.command("export")
def export_encoder(  # noqa: PLR0913, PLR0917 - options
    model: Annotated[
        str, typer.Argument(help="A folder, or an id in the local cache of the hub.", metavar="MODEL", callback=given)
    ],
    folder: Annotated[Path, typer.Argument(help="A new folder.", metavar="DIR")],
    precision: Annotated[list[Precision] | None, typer.Option(help="Only this one; both without it.")] = None,
    dimension: Annotated[int | None, typer.Option(help="Keep so many numbers of a vector.", min=1)] = None,
    query_prompt: Annotated[str | None, typer.Option(help="Put before each question.")] = None,
    document_prompt: Annotated[str | None, typer.Option(help="Put before each tool's text.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a sentence-transformers model as ONNX, and compare it with the original."""
    from router.embed import export  # noqa: PLC0415 - what takes long to import is imported where it is used
    from router.embed.transformer import TransformerEncoder  # noqa: PLC0415

    _report("loading the model")
    original = TransformerEncoder(
        model, dimension=dimension, query_prompt=query_prompt, document_prompt=document_prompt
    )
    done = export.export(original, folder, precision or list(Precision), _report)
    if as_json:
        print_json(_as_record(done))
    else:
        _show(done)


def _report(step: str) -> None:
    err.print(f"{step} …", highlight=False)


def _show(done: Export) -> None:
    for one in done.figures:
        out.print(
            f"{one.precision}  {one.size_bytes / 2**20:,.1f} MiB  cosine to the original: "
            f"{one.cosine_min:.4f} at least, {one.cosine_mean:.4f} on average",
            highlight=False,
        )
    out.print(
        f"To serve it: encoder: {{kind: onnx, path: {done.folder}, precision: {done.figures[-1].precision}}}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _as_record(done: Export) -> dict[str, Any]:
    manifest = done.manifest
    return {
        "path": str(done.folder),
        "source": manifest.source,
        "dimension": manifest.dimension,
        "max_tokens": manifest.max_tokens,
        "query_prompt": manifest.query_prompt,
        "document_prompt": manifest.document_prompt,
        "precisions": {
            one.precision: {
                "size_bytes": one.size_bytes,
                "cosine_min": one.cosine_min,
                "cosine_mean": one.cosine_mean,
            }
            for one in done.figures
        },
    }
