"""Catalogue files -> tools: every form of file, every fault with its place, and no byte of a definition changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app import files
from app.importer import ImportFailed, read_files
from router.types import Risk
from tests.support import tools

EXACT = b'{ "type" : "function","function":{"name":"exact", "x":1.10, "y":1E40, "z":"\\u5929\\/"} }'
TOOL = tools.function("a", "Does a.")
# 400 bytes that say a hundred million values.
BOMB = "- &a0 [x, x]\n" + "".join(f"- &a{n} [{f'*a{n - 1}, ' * 5}]\n" for n in range(1, 12))


def read(path: Path, content: bytes | str) -> list[Any]:
    """Write a file and read its tools."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_files([path])


def refusal(path: Path, content: bytes | str) -> list[str]:
    """Write a file that cannot be taken; give the lines that say why, without the last."""
    with pytest.raises(ImportFailed) as raised:
        read(path, content)
    *lines, last = str(raised.value).splitlines()
    assert last == "Nothing was imported."
    return [line.removeprefix(str(path)) for line in lines]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.json", b"[" + EXACT + b"]"),
        ("object.json", b'\n{"tools": [ ' + EXACT + b" ] }\n"),
        ("one.json", EXACT),
        ("record.json", b'{"tool":' + EXACT + b"}"),
        ("bom.JSON", b"\xef\xbb\xbf[" + EXACT + b"]"),
        ("lines.jsonl", b"\n" + EXACT + b"\r\n\n  \n"),
        ("bom.jsonl", b'\xef\xbb\xbf{"tool": ' + EXACT + b"}"),
    ],
    ids=["list", "object", "one", "record", "bom", "lines", "lines with bom"],
)
def test_json_keeps_every_byte_of_a_definition(tmp_path: Path, name: str, content: bytes) -> None:
    """White space, numbers and escapes of the tool object stay, in JSON and JSONL, with and without BOM."""
    (tool,) = read(tmp_path / name, content)
    assert tool.definition == EXACT


@pytest.mark.parametrize("form", ["- {}", "tools: [{}]", "{}"], ids=["list", "tools", "one"])
def test_yaml_is_written_as_json(tmp_path: Path, form: str) -> None:
    """A list, `tools:` or a single object; text stays text in any language."""
    described = tools.function("a", "今日の天気")
    (tool,) = read(tmp_path / "x.yaml", form.replace("{}", json.dumps(described, ensure_ascii=False)))
    assert json.loads(tool.definition) == described
    assert "今日の天気".encode() in tool.definition


def test_record_brings_its_fields_and_a_bare_tool_the_defaults(tmp_path: Path) -> None:
    """Bare tool objects and full records stand side by side."""
    record = tools.record(tools.function("b"), risk="write", tags=["t"], pinned=True, enabled=False)
    bare, full = read(tmp_path / "x.json", json.dumps([TOOL, record]))
    assert (bare.risk, bare.tags, bare.enabled) == (Risk.READ, (), True)
    assert (full.risk, full.tags, full.pinned, full.enabled) == (Risk.WRITE, ("t",), True, False)


def test_folder_gives_its_files_by_name(tmp_path: Path) -> None:
    """Of a folder all catalogue files are read, in order of their names, and nothing else."""
    (tmp_path / "README.md").write_text("no catalogue")
    for name in ("c.yml", "a.json", "b.yaml"):
        (tmp_path / name).write_text(json.dumps([tools.function(name[0])]))
    assert [tool.name for tool in read_files([tmp_path])] == ["a", "b", "c"]


def test_empty_list_is_an_import_of_nothing(tmp_path: Path) -> None:
    """`[]` is a catalogue, too."""
    assert read(tmp_path / "x.json", "[]") == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", " \n", ": the file is empty"),
        ("x.jsonl", "\n\n", ": the file is empty"),
        ("x.yaml", "# nothing\n", ": the file is empty"),
        ("x.json", '[\n{"a": tru}]', ": line 2, column 7 is not valid JSON: Expecting value"),
        ("x.json", "[{}", ": line 1, column 4 is not valid JSON: Expecting ',' delimiter"),
        ("x.json", "5", ": a catalogue is a list of tools or one tool"),
        ("x.json", b"[\n\n\xff]", ": line 3 is not UTF-8 text"),
        ("x.json", "[" * 100_000, ": it is nested too deeply"),
        ("x.yaml", "a: [\n", ": line 2, column 1: while parsing a flow node, did not find expected node content"),
        ("x.yaml", "- a\n---\n- b\n", ": line 2, column 1: expected a single document in the stream, "),
        ("x.yaml", "- \x07", ": unacceptable character #x0007"),
        ("x.yaml", "- {a: 1, a: 2}", ": line 1, column 10: the key 'a' stands there twice"),
        ("x.yaml", "- {? [1] : 2}", ": line 1, column 6: while constructing a mapping, found unhashable key"),
        ("x.yaml", "- {}\n- {a: !!binary aGk=}", ": entry 2 cannot be written as JSON"),
        ("x.yaml", "- &a\n  b: *a\n", ": The YAML has an alias that holds itself"),
        ("x.yaml", "- {a: !!float nan}", ": entry 1 cannot be written as JSON"),
        ("x.yaml", BOMB, ": The YAML says more than 2,000,000 values when its aliases are followed"),
        ("x.yaml", "- x\n" * 200_001, ": YAML of more than 200,000 values takes too long to read"),
        ("x.yaml", f"- {{a: {'9' * 5_000}}}", ": line 1, column 7: a number of more than 4,300 digits"),
        ("x.json", "[" + "{}," * 100_000 + "{}]", ": A batch holds at most 100,000 records"),
        ("x.json", '{"a": [' + "0," * 1_000_000 + "0]}", ": entry 1 has more than 1,000,000 values"),
        ("x.jsonl", '{"a": [' + "0," * 1_000_000 + "0]}", ": line 1 has more than 1,000,000 values"),
        ("x.json", '{"a": [' + "0," * 1_000_000 + "0", ": "),
        ("x.jsonl", "0\n" * 500_001, ": it has more than 500,000 lines"),
        ("x.yaml", "- !!python/name:os.system x", ": line 1, column 3: could not determine a constructor"),
    ],
)
def test_file_that_cannot_be_read_is_named_with_the_reason(
    tmp_path: Path, name: str, content: bytes | str, said: str
) -> None:
    """What is wrong with a whole file is one line: the file, the place, the reason."""
    (line,) = refusal(tmp_path / name, content)
    assert line.startswith(said)


def test_yaml_that_is_nested_too_deeply_is_refused_as_such(tmp_path: Path) -> None:
    """Releases of the YAML library tell it in words of their own."""
    (line,) = refusal(tmp_path / "x.yaml", "[" * 20_000)
    assert "nest" in line


def test_files_have_a_bound_of_bytes_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into what the files before it left is not read."""
    monkeypatch.setattr(files, "MOST_CATALOGUE_BYTES", 10)
    (tmp_path / "a.json").write_text("[]       ")
    (tmp_path / "b.json").write_text("[]")
    with pytest.raises(ImportFailed, match=r"b\.json: all files together have more than 10 bytes"):
        read_files([tmp_path])


def test_every_bad_entry_is_named_with_its_place(tmp_path: Path) -> None:
    """Three bad entries of four are three lines, each with its number, its name and why."""
    entries = [TOOL, tools.function("b c"), tools.record(tools.function("d"), risk="huge"), {"type": "function"}]
    first, second, third = refusal(tmp_path / "x.json", json.dumps(entries))
    assert first.startswith(", entry 2 (b c): tool: the name 'b c' does not follow ")
    assert second.startswith(", entry 3 (d): Invalid enum value 'huge'")
    assert third.startswith(", entry 4: tool: there is no object 'function' in it")


def test_bad_line_is_named_by_its_number_in_the_file(tmp_path: Path) -> None:
    """In JSONL the place is the line as an editor counts it, empty ones among them."""
    (line,) = refusal(tmp_path / "x.jsonl", f"\n{json.dumps(TOOL)}\n\n{{broken\n")
    assert line.startswith(", line 4: not a JSON object: ")


def test_name_in_two_files_is_told_with_both_places(tmp_path: Path) -> None:
    """The second of two equal names is refused, and where the first stands is said."""
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps([tools.function("x"), tools.function(name[0])]))
    with pytest.raises(ImportFailed, match=r"b\.json, entry 1: the name x stands in .*a\.json, entry 1 already"):
        read_files([tmp_path])


def test_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """A missing file, an unknown kind, an empty folder and a broken file are four lines."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "x.txt").write_text("x")
    (tmp_path / "x.json").write_text("{")
    names = ("none.json", "x.txt", "folder", "x.json")
    with pytest.raises(ImportFailed) as raised:
        read_files([tmp_path / name for name in names])
    *lines, _ = str(raised.value).splitlines()
    assert [line.partition(":")[0].removeprefix(f"{tmp_path}/") for line in lines] == list(names)


def test_file_that_may_not_be_read_is_said_plainly(tmp_path: Path) -> None:
    """An error of the operating system is its sentence, without number or repeated name."""
    (tmp_path / "x.json").mkdir()
    with pytest.raises(ImportFailed, match=r"x\.json: there are no \.json, \.jsonl, \.yaml, \.yml files"):
        read_files([tmp_path / "x.json"])
    with pytest.raises(ImportFailed, match="File name too long"):
        read_files([tmp_path / f"{'x' * 300}.json"])


def test_read_files_refuses_text_that_people_do_not_see(tmp_path: Path) -> None:
    """Hidden characters are told with file, entry, tool, field and place, escaped in JSON and YAML or not."""
    shown = r": tool: text that people do not see: function.description has U+200B (zero width space) at character 2"
    escaped = '{"type":"function","function":{"name":"a","description":"b\\u200b"}}'
    assert refusal(tmp_path / "a.json", escaped) == [f", entry 1 (a){shown}"]
    yaml = '- {type: function, function: {name: a, description: "b\\u200b"}}\n'
    assert refusal(tmp_path / "a.yaml", yaml) == [f", entry 1 (a){shown}"]
    assert refusal(tmp_path / "b.yaml", yaml.replace("\\u200b", "\u200b")) == [f", entry 1 (a){shown}"]


def test_read_files_tells_what_records_leave_out(tmp_path: Path) -> None:
    """A bare tool object says nothing beside the tool."""
    bare = {"type": "function", "function": {"name": "bare"}}
    record = {"tool": {"type": "function", "function": {"name": "full"}}, "enabled": True, "risk": "read"}
    (tmp_path / "tools.json").write_text(json.dumps([bare, record]), encoding="utf-8")
    left_out: dict[str, frozenset[str]] = {}
    read_files([tmp_path / "tools.json"], left_out)
    assert {"enabled", "risk", "tenant"} <= left_out["bare"]
    assert {"enabled", "risk", "tenant"} & left_out["full"] == {"tenant"}
