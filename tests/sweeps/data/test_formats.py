"""The same rows are the same data in whatever file they stand; what cannot be read says what makes it readable."""

import bz2
import csv
import gzip
import json
import lzma
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
import zstandard

from sweeps.errors import NotInstalled
from tests.sweeps.files import jsonl, load, refusal
from tests.wording import lacks

ROWS = [
    {"prompt": "Who?", "completion": "Ada, the\nfirst"},
    {"prompt": "How many?", "completion": "42"},
    {"prompt": "„Wo“?", "completion": 'in "Köln"; or\tnot'},
]
CHATS = [
    {"messages": [{"role": "user", "content": f"q{at}"}, {"role": "assistant", "content": f"ä{at}"}]} for at in range(5)
]


def tabular(path: Path, delimiter: str = ",", *, encoding: str = "utf-8", end: str = "\n") -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end)
        writer.writerow(["prompt", "completion", ""])
        writer.writerows([row["prompt"], row["completion"], ""] for row in ROWS)


def packed(path: Path) -> None:
    tabular(path)
    path.write_bytes(gzip.compress(path.read_bytes()))


def parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra `export` is not installed")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), path)


def saved(path: Path, rows: list[dict[str, Any]]) -> None:
    """As `save_to_disk` of Hugging Face's datasets leaves it: two streams of Arrow, and a state that names them."""
    pyarrow = pytest.importorskip("pyarrow", reason="the extra `export` is not installed")
    path.mkdir()
    names = [f"data-0000{at}-of-00002.arrow" for at in range(2)]
    for name, part in zip(names, (rows[:1], rows[1:]), strict=True):
        table = pyarrow.Table.from_pylist(part)
        with pyarrow.OSFile(str(path / name), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    (path / "dataset_info.json").write_text("{}")
    (path / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": name} for name in names], "_split": "train"})
    )


def sharded(path: Path) -> None:
    (path / "data").mkdir(parents=True)
    for at in range(2):
        parquet(path / "data" / f"train-0000{at}-of-00002.parquet", ROWS[:1] if at == 0 else ROWS[1:])
    (path / "README.md").write_text("a card")


TEXT = jsonl(ROWS)
FILES: dict[str, Callable[[Path], Any]] = {
    "d.jsonl": lambda path: path.write_text(TEXT),
    "d.ndjson": lambda path: path.write_text(TEXT),
    "bom.jsonl": lambda path: path.write_text(TEXT, encoding="utf-8-sig"),
    "crlf.jsonl": lambda path: path.write_text(TEXT.replace("\n", "\r\n\r\n"), newline=""),
    "utf16.jsonl": lambda path: path.write_text(TEXT, encoding="utf-16"),
    "D.JSONL.GZ": lambda path: path.write_bytes(gzip.compress(TEXT.encode())),
    "d.jsonl.bz2": lambda path: path.write_bytes(bz2.compress(TEXT.encode())),
    "d.jsonl.xz": lambda path: path.write_bytes(lzma.compress(TEXT.encode())),
    "d.jsonl.zst": lambda path: path.write_bytes(
        zstandard.compress(TEXT[:40].encode()) + zstandard.compress(TEXT[40:].encode())
    ),
    "packed.jsonl": lambda path: path.write_bytes(gzip.compress(TEXT.encode())),
    "part-00000": lambda path: path.write_text(TEXT),
    "part-00000.gz": lambda path: path.write_bytes(gzip.compress(TEXT.encode())),
    "lines.txt": lambda path: path.write_text(TEXT),
    "d.json": lambda path: path.write_text(json.dumps(ROWS, indent=2)),
    "lines.json": lambda path: path.write_text(TEXT),
    "data.json": lambda path: path.write_text(json.dumps({"version": 1, "data": ROWS})),
    "by_id.json": lambda path: path.write_text(json.dumps({f"id{at}": row for at, row in enumerate(ROWS)}, indent=1)),
    "list.jsonl": lambda path: path.write_text(json.dumps(ROWS, indent=2)),
    "d.csv": tabular,
    "semicolon.csv": lambda path: tabular(path, ";", encoding="utf-8-sig", end="\r\n"),
    "d.tsv": lambda path: tabular(path, "\t"),
    "d.csv.gz": packed,
    "d.parquet": lambda path: parquet(path, ROWS),
    "saved": lambda path: saved(path, ROWS),
    "hub": sharded,
}


@pytest.mark.parametrize("name", FILES)
def test_the_same_rows_are_the_same_data(tmp_path: Path, name: str) -> None:
    FILES[name](tmp_path / name)
    dataset = load(tmp_path, name)
    assert dataset.train.rows == tuple(ROWS)
    assert not lacks(dataset.notes[0], f"{name}: 3 completion `prompt` `completion`")
    (tmp_path / "plain.jsonl").write_text(TEXT)
    assert dataset.train.sha256 == load(tmp_path, "plain.jsonl").train.sha256


@pytest.mark.parametrize("name", ["c.parquet", "c.csv", "c.json", "shares.jsonl"])
def test_chats_too_also_where_messages_are_text_or_have_other_names(tmp_path: Path, name: str) -> None:
    as_text = [{"messages": json.dumps(row["messages"]), "n": at} for at, row in enumerate(CHATS)]
    shared = {"user": "human", "assistant": "gpt"}
    conversations = [
        [{"from": shared[turn["role"]], "value": turn["content"]} for turn in row["messages"]] for row in CHATS
    ]
    match name:
        case "c.parquet":
            nulls = [
                {"role": "user", "content": "q0", "tool_calls": None},
                {**CHATS[0]["messages"][1], "tool_calls": None},
            ]
            parquet(tmp_path / name, [{"messages": nulls, "tools": None}, *CHATS[1:]])
        case "c.csv":
            with (tmp_path / name).open("w", newline="") as file:
                writer = csv.DictWriter(file, ["n", "messages"])
                writer.writeheader()
                writer.writerows(as_text)
        case "c.json":
            (tmp_path / name).write_text(json.dumps({"train": as_text}))
        case _:
            (tmp_path / name).write_text(jsonl({"conversations": turns} for turns in conversations))
    assert load(tmp_path, name).train.rows == tuple(CHATS)


def test_a_pattern_names_all_of_its_files_and_each_row_knows_its_own(tmp_path: Path) -> None:
    for at, part in enumerate((ROWS[:2], ROWS[2:])):
        (tmp_path / f"p{at}.jsonl").write_text(jsonl(part))
        fsspec.filesystem("memory").pipe(f"/many/p{at}.jsonl", jsonl(part).encode())
    for source, begin in (
        ("p*.jsonl", ""),
        (f"{tmp_path}/p[01].jsonl", f"{tmp_path}/"),
        ("memory://many/p*.jsonl", "memory://many/"),
    ):
        dataset = load(tmp_path, source)
        assert dataset.train.rows == tuple(ROWS)
        assert [dataset.train.place(at) for at in (1, 2)] == [f"{begin}p0.jsonl:2", f"{begin}p1.jsonl:1"]


def test_a_folder_may_be_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is for a command that is given the name of a spec alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sh").mkdir()
    for at, part in enumerate((ROWS[:2], ROWS[2:])):
        (tmp_path / "sh" / f"train-0000{at}-of-00002.jsonl").write_text(jsonl(part))
    for source in ("sh", "sh/train*", "./sh/*.jsonl"):
        dataset = load(Path(), source)
        assert dataset.train.place(2).removeprefix("./") == "sh/train-00001-of-00002.jsonl:1"
        assert len(dataset.train) == 3


def test_rows_of_a_table_are_named_by_the_line_on_which_they_begin(tmp_path: Path) -> None:
    tabular(tmp_path / "d.csv")
    assert [load(tmp_path, "d.csv").train.place(at) for at in range(3)] == ["d.csv:2", "d.csv:4", "d.csv:5"]


def test_one_record_a_line_is_said(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("one\n\ntwo  \nthree\n")
    assert load(tmp_path, "l.txt", format="lines").train.rows == ({"text": "one"}, {"text": "two  "}, {"text": "three"})
    assert len(load(tmp_path, "l.txt").train) == 2
    (tmp_path / "t.jsonl").write_text(jsonl({"text": str(at)} for at in range(5)))
    assert len(load(tmp_path, "t.jsonl", format="lines", holdout="l.txt").holdout) == 3
    (tmp_path / "p.txt").write_text("one\ntwo\n")
    assert "2 lines and no blank line" in refusal(tmp_path, "p.txt")


REFUSED: dict[str, tuple[bytes, str]] = {
    "latin.csv": ("prompt,completion\nwo,Köln\n".encode("latin-1"), "latin.csv:2: byte 22 UTF-8"),
    "wide.jsonl": (TEXT.encode("utf-16-le"), "iconv -f UTF-16LE"),
    "d.xlsx": (b"PK\x03\x04", "save it as .csv"),
    "sheet.csv": (b"PK\x03\x04", "unzip"),
    "d.zip": (b"", "unzip"),
    "d.tar.gz": (b"", "tar -xf"),
    "d.pkl": (b"", "write it as .jsonl"),
    "not.jsonl.zst": (b"{}", "zst .zst"),
    "cut.jsonl.zst": (zstandard.compress(TEXT.encode())[:30], "cut.jsonl.zst"),
    "cut.jsonl.xz": (lzma.compress(TEXT.encode())[:60], "whole .xz"),
    "cut.parquet": (b"PAR1 and nothing", "whole Parquet"),
    "nohead.csv": (b"Who?,Ada\nHow?,42\n", "nohead.csv:1: Who?, Ada"),
    "twice.csv": (b"prompt,completion,completion\na,b,c\n", "completion twice"),
    "ragged.csv": (b"prompt,completion\na,b\na,b,c\n", "ragged.csv:3: 3 2 cells column"),
    "open.csv": (b'prompt,completion\na,b\nc,"d\ne,f\n', "open.csv:3: CSV"),
    "empty.csv": (b"prompt,completion\na,b\nc,\n", "open.csv"),
    "two.json": (json.dumps({"train": ROWS, "test": ROWS}).encode(), "(train, test) jq"),
    "columns.json": (b'{"prompt": ["a"], "completion": ["b"]}', 'orient="records"'),
    "pandas.json": (b'{"prompt": {"0": "a"}, "completion": {"0": "b"}}', 'orient="records"'),
    "half.json": (b'[{"text": "a"}, ', "half.json: not JSON"),
    "pretty.jsonl": (json.dumps(ROWS[0], indent=1).encode(), "jq -c"),
    "commas.jsonl": (b'{"text": "a"},\n', "sed"),
    "side.json": (b'{"text": "a"}\n{"text":\n"b"}', "jq -c"),
    "keys.jsonl": (b'{"text": "a", "text": "b"}\n', "'text' twice"),
    "keys.json": (b'[{"text": "a", "text": "b"}]', "'text' twice"),
    "roles.jsonl": (b'{"messages": [{"role": "User", "content": "a"}]}', "assistant roles User"),
    "word.json": (b'"a"', "list JSON str"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_says_what_would_be_right(tmp_path: Path, name: str) -> None:
    content, says = REFUSED[name]
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="the extra `export` is not installed")
    (tmp_path / name).write_bytes(content)
    message = refusal(tmp_path, name)
    assert message.startswith(f"data.mine: {name}")
    assert not lacks(message, says if name != "empty.csv" else "empty.csv:3: without completion")


def test_folders_that_hold_several_things_name_them(tmp_path: Path) -> None:
    for name in (
        "hub/data/train-00000-of-00002.jsonl",
        "hub/data/test-00000-of-00001.jsonl",
        "loose/a.jsonl",
        "loose/b.jsonl",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TEXT)
    (tmp_path / "splits" / "train").mkdir(parents=True)
    (tmp_path / "splits" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    (tmp_path / "splits" / "train" / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    assert "hub/data/train*-of-00002.jsonl" in refusal(tmp_path, "hub")
    assert "shard 1 of 2" in refusal(tmp_path, "hub/data/train*")
    assert "loose/*.jsonl" in refusal(tmp_path, "loose")
    assert "splits/train" in refusal(tmp_path, "splits")
    assert "without data.arrow" in refusal(tmp_path, "splits/train")
    assert not lacks(refusal(tmp_path, "loose/c*.jsonl"), "loose/c*.jsonl: no file")
    assert len(load(tmp_path, "hub/data/test*").train) == 3


def test_tables_of_arrow_without_pyarrow_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for content in (b"PAR1", b"ARROW1"):
        (tmp_path / "d").write_bytes(content)
        with pytest.raises(NotInstalled, match=r"data\.mine: d: .*pip install pyarrow"):
            load(tmp_path, "d")


def test_a_bad_line_of_a_held_out_file_is_named_when_planning(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(TEXT)
    rows = [{"prompt": f"p{at}", "completion": f"c{at}"} for at in range(6000)]
    for bad in ('{"prompt": "a", "completion": " "}', "{oops"):
        (tmp_path / "h.jsonl").write_text(jsonl(rows[:4999]) + bad + "\n" + jsonl(rows[4999:]))
        assert "h.jsonl:5000: " in refusal(tmp_path, "t.jsonl", holdout="h.jsonl")
