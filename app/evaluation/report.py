"""An evaluation as one page: no script, nothing loaded from anywhere, and no text of a data set is markup."""

from __future__ import annotations

from pathlib import Path

from app.evaluation import EvaluationFailed, charts, wording
from app.evaluation.results import Run


def write(path: Path, run: Run) -> None:
    """Write the page.

    Raises:
        EvaluationFailed: The file cannot be written.
    """
    try:
        path.write_text(page(run), encoding="utf-8", errors="replace")
    except OSError as error:
        raise EvaluationFailed(f"{path}: the report cannot be written: {error.strerror}") from error


def page(run: Run) -> str:
    """Give the page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - loaded where it is used

    environment = Environment(
        loader=PackageLoader("app.evaluation", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "percent": wording.percent,
        "named": wording.named,
        "shown": wording.line,
        "number": lambda value: f"{value:,.0f}",
        "ms": lambda value: "-" if value is None else f"{value:.1f}",
    }
    return environment.get_template("report.html.j2").render(run=run, charts=charts, wording=wording)
