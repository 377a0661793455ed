"""`toolfunnel encoder`: a model becomes a folder that the gateway serves."""

from __future__ import annotations

import json

import pytest
import typer.main

from app.cli import app
from tests.cli.command import Place
from tests.support.models import save_bert_cls


def test_export_writes_a_folder_that_is_served(place: Place) -> None:
    """The command prints its figures, and the configuration it names finds tools by meaning."""
    done = place.run("encoder", "export", str(save_bert_cls(place.path / "tiny")), "exported", "--precision", "fp32")
    assert (done.code, done.out.splitlines()[1]) == (
        0,
        "To serve it: encoder: {kind: onnx, path: exported, precision: fp32}",
    )
    assert "cosine to the original: 1.0000 at least" in done.out
    assert "comparing fp32" in done.err
    place.write("tools.yaml", "{type: function, function: {name: find_flights, description: Flights on a day.}}")
    onnx = {"TOOLFUNNEL_ENCODER": json.dumps({"kind": "onnx", "path": "exported"})}
    assert place.run("tools", "import", "tools.yaml", variables=onnx).code == 0
    assert place.run("route", "fly", "--json", variables=onnx).json["mode"] == "hybrid"


def test_export_prints_json(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Options are carried out, and every figure is there for programs. In this process, which has imported torch."""
    monkeypatch.chdir(place.path)
    options = ["--dimension", "8", "--query-prompt", "q: ", "--document-prompt", "d: ", "--json"]
    command = ["encoder", "export", str(save_bert_cls(place.path / "tiny")), "exported", *options]
    typer.main.get_command(app)(command, standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    assert (found["path"], found["dimension"], found["query_prompt"], found["document_prompt"]) == (
        "exported",
        8,
        "q: ",
        "d: ",
    )
    assert set(found["precisions"]) == {"fp32", "int8"}
    assert found["precisions"]["fp32"]["cosine_min"] > 0.999


def test_export_says_why_it_cannot(place: Place) -> None:
    """A model that is not on this machine ends with 1, in words, and leaves nothing."""
    done = place.run("encoder", "export", "someone/unknown", "exported")
    assert (done.code, done.out) == (1, "")
    assert "hf download someone/unknown" in done.err
    assert list(place.path.iterdir()) == []
