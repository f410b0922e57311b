"""A data set is what its source says, split by content, and each thing wrong with it is named with its line."""

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path

import fsspec
import pytest

from sweeps.data import Dataset, load_dataset
from sweeps.errors import DataError
from sweeps.records import hash_contents
from sweeps.rendering.render import measure_inputs
from sweeps.rendering.tokenizer import OfflineTokenizer
from tests.sweeps.files import Spec
from tests.wording import lacks

ROWS = [{"text": f"text number {number}"} for number in range(100)]


def write(path: Path, rows: Sequence[object]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.name


def load(folder: Path, spec: Spec) -> Dataset:
    return load_dataset("mine", spec, folder=folder, cache=folder / "cache")


def refusal(folder: Path, spec: Spec) -> str:
    with pytest.raises(DataError) as refused:
        load(folder, spec)
    return str(refused.value)


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("text", {"text": "a"}),
        ("completion", {"prompt": "", "completion": "b"}),
        ("chat", {"messages": [{"role": "assistant", "content": "a"}]}),
        ("preference", {"prompt": "a", "chosen": "b", "rejected": "c"}),
    ],
)
def test_the_format_is_seen_from_the_keys(tmp_path: Path, form: str, row: dict[str, object]) -> None:
    data = load(tmp_path, Spec(write(tmp_path / "a.jsonl", [{**row, "id": 1}])))
    assert data.train.format == form
    assert data.train.rows == (row,)
    assert not lacks(data.notes[0], f"a.jsonl: 1 row {form} {' '.join(f'`{key}`' for key in row)}")
    assert data.notes[1:] == ("a.jsonl: keys not used: id",)


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a"])
def test_any_other_text_is_read_by_paragraphs(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("one\ntwo\n\n\n three\n")
    data = load(tmp_path, Spec(name))
    assert data.train.rows == ({"text": "one\ntwo"}, {"text": " three"})
    assert "2 paragraphs" in data.notes[0]


def test_gzip_and_urls_carry_the_same_rows(tmp_path: Path) -> None:
    plain = load(tmp_path, Spec(write(tmp_path / "a.jsonl", ROWS)))
    content = gzip.compress((tmp_path / "a.jsonl").read_bytes())
    (tmp_path / "a.jsonl.gz").write_bytes(content)
    fsspec.filesystem("memory").pipe("/data/a.jsonl.gz", content)
    for source in ("a.jsonl.gz", "memory://data/a.jsonl.gz", f"file://{tmp_path}/a.jsonl"):
        assert load(tmp_path, Spec(source)).train.sha256 == plain.train.sha256


def test_the_split_follows_the_content_and_not_the_order(tmp_path: Path) -> None:
    shuffled = random.Random(5).sample(ROWS, len(ROWS))
    first = load(tmp_path, Spec(write(tmp_path / "a.jsonl", ROWS), holdout=20, validation=0.1))
    other = load(tmp_path, Spec(write(tmp_path / "b.jsonl", shuffled), holdout=0.2, validation=10))
    assert first.validation
    assert other.validation
    for part, two in ((first.holdout, other.holdout), (first.validation, other.validation)):
        assert set(part.digests) == set(two.digests)
    assert [len(first.train), len(first.holdout), len(first.validation)] == [70, 20, 10]
    parts = (first.train, first.holdout, first.validation)
    assert len({digest for part in parts for digest in part.digests}) == 100


def test_a_validation_set_does_not_move_the_holdout(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", ROWS)
    with_it = load(tmp_path, Spec(source, holdout=20, validation=20))
    assert with_it.holdout.sha256 == load(tmp_path, Spec(source, holdout=20)).holdout.sha256


def test_equal_content_is_kept_once_and_never_on_both_sides(tmp_path: Path) -> None:
    """Also where only white space differs, and where holdout and validation are files."""
    rows = [*ROWS, {"text": "text  number 3 "}, ROWS[4]]
    held = [{"text": "text number\n7"}, {"text": "new"}]
    source = write(tmp_path / "a.jsonl", rows)
    holdout = write(tmp_path / "h.jsonl", held)
    validation = write(tmp_path / "v.jsonl", [*held, ROWS[8]])
    data = load(tmp_path, Spec(source, holdout=holdout, validation=validation))
    assert data.validation
    assert [len(data.train), len(data.holdout), len(data.validation)] == [98, 2, 1]
    keys = [set(hash_contents(part.rows)) for part in (data.train, data.holdout, data.validation)]
    assert len(set.union(*keys)) == 101
    assert any("2 of 102 rows repeat another" in note for note in data.notes)
    assert [note.split()[0] for note in data.notes if "were dropped from train" in note] == ["1", "1"]


def test_bad_lines_are_named_five_at_most_and_counted(tmp_path: Path) -> None:
    lines = ['{"text": "ok"}', "{oops", "[1]", '{"txt": "a"}', '{"text": 5}', '{"text": " "}', '{"text": NaN}']
    (tmp_path / "a.jsonl").write_text("\n\n".join(lines))
    message = refusal(tmp_path, Spec("a.jsonl"))
    assert message.startswith("data.mine: a.jsonl:3: ")
    assert "not JSON" in message.splitlines()[0]
    messages = dict(line.split(": ", 1) for line in message.removeprefix("data.mine: ").splitlines() if ": " in line)
    facts = {
        "a.jsonl:5": "JSON list",
        "a.jsonl:7": "without text",
        "a.jsonl:9": "text: JSON int",
        "a.jsonl:11": "text: empty",
    }
    assert [lacks(messages[line], words) for line, words in facts.items()] == [[]] * len(facts)
    assert "a.jsonl:13" not in message
    assert "6 bad lines;" in message


def test_mixed_formats_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", [{"text": "a"}, {"prompt": "a", "completion": "b"}])
    assert not lacks(refusal(tmp_path, Spec(source)), "a.jsonl:2: completion without text")


def test_a_row_knows_its_line_wherever_it_was_moved(tmp_path: Path) -> None:
    """Blank lines and repeated rows are lines too; and what it says of itself is no part of the content."""
    lines = [json.dumps(row) for row in ROWS]
    (tmp_path / "a.jsonl").write_text("\n".join([lines[0], "", *lines]))
    data = load(tmp_path, Spec("a.jsonl", holdout=20, validation=20))
    for part in (data.train, data.holdout, data.validation):
        assert part
        for index, row in enumerate(part.rows):
            number = ROWS.index(dict(row))
            assert part.place(index) == f"a.jsonl:{number + 3 if number else 1}"
    assert (
        data.train.sha256
        == load(tmp_path, Spec(write(tmp_path / "b.jsonl", ROWS), holdout=20, validation=20)).train.sha256
    )


def test_what_cannot_be_rendered_is_named_by_its_line(tmp_path: Path) -> None:
    chats = [{"messages": [{"role": role, "content": f"{at}"} for role in ("user", "assistant")]} for at in range(9)]
    chats.insert(4, {"messages": [{"role": "judge", "content": "a"}, {"role": "assistant", "content": "b"}]})
    data = load(tmp_path, Spec(write(tmp_path / "a.jsonl", [*chats[:1], *chats])))
    with pytest.raises(DataError, match=r"^a\.jsonl:6: message 1: .*'judge'.*\(the row: "):
        measure_inputs(data.train, OfflineTokenizer())


def test_a_row_that_cannot_be_read_is_named_before_a_holdout_that_is_too_large(tmp_path: Path) -> None:
    asked = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.png"}}]}
    answer = {"role": "assistant", "content": "b"}
    name = write(
        tmp_path / "a.jsonl", [{"messages": [{**asked, "content": "a"}, answer]}, {"messages": [asked, answer]}]
    )
    message = refusal(tmp_path, Spec(name, holdout=512))
    assert message.startswith("data.mine: a.jsonl:2: message 1 (user): part 1: ")
    assert not lacks(message, "'image_url' row")


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([], "messages: list role content"),
        (["a"], "messages[0]: role content"),
        ([{"role": "user", "content": "a"}], "assistant roles user"),
    ],
)
def test_a_chat_needs_messages_and_an_answer(tmp_path: Path, messages: list[object], says: str) -> None:
    message = refusal(tmp_path, Spec(write(tmp_path / "a.jsonl", [{"messages": messages}])))
    assert "a.jsonl:1: " in message
    assert not lacks(message, says)


def test_half_a_surrogate_pair_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "\\ud83d"}')
    assert not lacks(refusal(tmp_path, Spec("a.jsonl")), "a.jsonl:1: Unicode surrogate")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (Spec("none.jsonl"), "no such file in"),
        (Spec("folder"), "name one file, one of inside.jsonl"),
        (Spec("empty.jsonl"), "empty.jsonl rows"),
        (Spec("empty.txt"), "empty.txt no text"),
        (Spec("a.xlsx"), "save it as .csv"),
        (Spec("latin.txt"), "latin.txt:2: byte 3 UTF-8"),
        (Spec("broken.jsonl.gz"), "whole .gz"),
        (Spec("memory://nothing/here.jsonl"), "no such file"),
        (Spec("n" * 300), "File name too long"),
        (Spec("a.jsonl", holdout="n" * 300), "File name too long"),
        (Spec("a.jsonl/x"), "Not a directory"),
        (Spec("~nobody-at-all/x"), "the home ~nobody-at-all"),
        (Spec("~nobody-at-all/*.jsonl"), "the home ~nobody-at-all"),
        (Spec("./~nobody-at-all"), "no such file in"),
        (Spec("nosuch://u:secret@here/a.jsonl"), "nosuch://…@here/a.jsonl: read"),
        (Spec("nosuch://here/a.jsonl?key=secret"), "nosuch://here/a.jsonl: read"),
        (Spec("offline:poetry"), "offline:code, offline:reference, offline:poetry"),
        (Spec("a.jsonl", format="letters"), "format: 'letters' chat"),
        (Spec("a.jsonl", format="chat"), "text without messages chat"),
        (Spec("empty.txt", format="chat"), ".jsonl chat .txt"),
        (Spec("a.jsonl", holdout=100), "99 of 100 different rows can be held out"),
        (Spec("a.jsonl", holdout=60, validation=50), "validation: 50 rows 39 of 100 different rows `validation`"),
        (Spec("a.jsonl", holdout=1.5), "between 0 and 1"),
        (Spec("folder"), "data.mine: folder: inside.jsonl"),
        (Spec("a.jsonl", holdout=0), "holdout: count from 1, 0"),
        (Spec("a.jsonl", holdout="a.jsonl"), "train none"),
        (Spec("a.jsonl", holdout="c.jsonl"), "c.jsonl:1"),
    ],
    ids=str,
)
def test_what_cannot_be_loaded_says_what_would_be_right(tmp_path: Path, spec: Spec, says: str) -> None:
    write(tmp_path / "a.jsonl", ROWS)
    write(tmp_path / "c.jsonl", [{"prompt": "a", "completion": "b"}])
    (tmp_path / "folder").mkdir()
    for name in ("empty.jsonl", "empty.txt", "folder/inside.jsonl"):
        (tmp_path / name).write_text("\n \n")
    (tmp_path / "latin.txt").write_bytes(b"ab\n\xe9")
    (tmp_path / "broken.jsonl.gz").write_bytes(gzip.compress(b"abc")[:-2])
    message = refusal(tmp_path, spec)
    assert message.startswith("data.mine: ")
    assert not lacks(message, says)
    assert "secret" not in message
