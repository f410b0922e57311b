"""The first files of the page on data files, as it shows them: written, planned by the real planner, and run."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import chdir
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest
import zstandard

from scheduler.prepare import prepare
from scheduler.settings import read_settings
from sweeps.data.source_files import read_file
from sweeps.planning.recipe_parts import LOSS_MASKS
from sweeps.records import FORMATS, Format, Records
from sweeps.rendering.render import Example, render_rows
from sweeps.rendering.tokenizer import OfflineTokenizer, Tokenizer
from tests.acceptance.command import Desk
from tests.sweeps.templates import make_tokenizer, speaking

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "data-files.md").read_text()
PART = PAGE.partition("## A first file of each kind\n")[2].partition("\n## ")[0]
MADE = {"python": ".parquet", "bash": (".gz", ".zst")}  # by what a block makes the files that it names
ROWS, HELD = 4, 1
MORE: Mapping[str, tuple[str, ...]] = {  # what the page says besides, where a file needs more than its name
    "pairs.jsonl": ("train.method=dpo", "evaluate=[preference]"),
    "beats.csv": ("data.mine.columns={question: signal, answer: label}",),
    "calls.jsonl": ("model=offline/rehearsal", "tokenizer=theirs"),
    "calls.parquet": ("model=offline/rehearsal", "tokenizer=theirs"),
    "facts.json": ("evaluate=[nll, answers]",),
}
TURNS = {  # who speaks in the first row
    "chats.jsonl": "user assistant user assistant",
    "calls.jsonl": "user assistant tool assistant",
    "calls.parquet": "user assistant tool assistant",
    "sharegpt.json": "user assistant",
    "alpaca.json": "user assistant",
}
RUN = (
    "agent.jsonl",
    "chats.jsonl",
    "calls.jsonl",
    "rules.jsonl",
    "pairs.jsonl",
    "facts.json",
    "notes.txt",
    "beats.csv",
)


class Block(NamedTuple):
    """A fenced block of the page, and the files that the sentence before it names."""

    files: tuple[str, ...]
    language: str
    text: str


class Listed(NamedTuple):
    """A row of the page's table: a file, its format, and what is learnt of its first row."""

    file: str
    form: str
    learnt: str


def list_blocks() -> list[Block]:
    texts = re.findall(r"^\*\*(`(?:(?!\n\n\*\*).)*?)^```(\w+)\n(.*?)^```", PART, re.MULTILINE | re.DOTALL)
    return [Block(tuple(re.findall(r"`([\w.]+)`\*\*", f"**{head}")), kind, text) for head, kind, text in texts]


def list_table() -> list[Listed]:
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PART.splitlines() if line[:2] == "| "]
    return [Listed(file, row[2], row[3]) for row in rows[2:] for file in re.findall(r"`([\w.]+)`", row[1])]


TABLE = {listed.file: listed for listed in list_table()}


@pytest.fixture
def written(desk: Desk) -> Desk:
    """All files of the page, as its blocks write them; and a tokenizer with a chat template that writes calls."""
    made: set[str] = set()
    for block in list_blocks():
        made |= {*block.files}
        if block.language == "python":
            with chdir(desk.folder):
                exec(block.text, {})  # ours: what the page tells people to write
        elif block.language == "bash":
            pack(desk.folder, block.text)
        else:
            desk.write(block.files[0], block.text)
    assert made == {*TABLE, "first.yaml"}
    make_tokenizer("tools").save_pretrained(desk.folder / "theirs")
    return desk


def pack(folder: Path, commands: str) -> None:
    """Run the commands of the page; without zstd on this machine its library does the same."""
    if shutil.which("zstd"):
        subprocess.run(["bash", "-ec", commands], cwd=folder, check=True)
        return
    subprocess.run(["bash", "-ec", commands.splitlines()[0]], cwd=folder, check=True)
    name = commands.rsplit(maxsplit=1)[-1]
    (folder / f"{name}.zst").write_bytes(zstandard.compress((folder / name).read_bytes()))


def list_learnt(examples: tuple[Example, ...], tokenizer: Tokenizer) -> list[list[str]]:
    """The stretches that bear loss, of each example of a row."""
    return [
        [
            tokenizer.decode([token for token, _ in run])
            for loss, run in groupby(
                zip(example.tokens[1:].tolist(), example.weights.tolist(), strict=True), lambda pair: pair[1]
            )
            if loss
        ]
        for example in examples
    ]


def find_first_row(parts: tuple[Records, ...]) -> Records:
    """The first row of the file, whichever part has it."""
    first = min((origin.number, part.sha256, at) for part in parts for at, origin in enumerate(part.origins))
    return next(part for part in parts if part.sha256 == first[1]).select([first[2]])


def plan(desk: Desk, file: str) -> tuple[Records, ...]:
    """Plan a file with the real planner: the records of its two parts."""
    words = (f"data.mine.source={file}", *MORE.get(file, ()))
    settings = read_settings(desk.variables({}))
    prepared = prepare(desk.folder / "first.yaml", words, settings)
    assert prepared.refused == ()
    assert prepared.plan.totals.train == 1
    whole = [part for part in prepared.records.values() if part.origins]
    assert {len(part) for part in whole} == {ROWS - HELD, HELD}
    return tuple(whole)


@pytest.mark.parametrize("file", sorted(TABLE))
def test_a_file_of_the_page_is_read_as_its_table_says(written: Desk, file: str) -> None:
    parts = plan(written, file)
    listed = TABLE[file]
    assert {part.format for part in parts} == {listed.form}
    first = find_first_row(parts)
    if file in TURNS:
        assert " ".join(message["role"] for message in first.rows[0]["messages"]) == TURNS[file]
    if alike := re.search(r"as `([\w.]+)`", listed.learnt):
        assert {row for part in parts for row in part.digests} == {
            row for part in plan(written, alike[1]) for row in part.digests
        }
        return
    form: Format = first.format
    tokenizer: Tokenizer = OfflineTokenizer() if "offline/rehearsal" not in str(MORE.get(file)) else speaking("tools")
    renderer = "plain" if isinstance(tokenizer, OfflineTokenizer) else "chat_template"
    (row,) = render_rows(first, tokenizer, renderer=renderer, loss_mask=LOSS_MASKS[form])
    learnt = list_learnt(row, tokenizer)
    if file == "calls.jsonl":
        call, answer = learnt[0]
        assert ("find_order" in call, "A17" in call, "left May 3" in call) == (True, True, False)
        assert answer.startswith("It left on May 3.")
    else:
        assert {example.tokens[-1] == tokenizer.eos for example in row} == {form not in ("transcript", "text")}
        assert {example.weights[-1] for example in row} == {1}
        assert learnt == [json.loads(text) for text in re.findall(r"`(\[.*?\])`", listed.learnt)]


def test_each_format_of_a_record_has_a_file() -> None:
    assert {listed.form for listed in TABLE.values()} == {*FORMATS}
    assert {TABLE[file].form for file in RUN} == {*FORMATS}
    assert {Path(file).suffix for file in TABLE} == {".jsonl", ".json", ".csv", ".txt", ".parquet", ".gz", ".zst"}


def test_all_right_answers_and_passages_are_read(written: Desk) -> None:
    first = read_file("facts.json", None, written.folder).rows[0]
    assert first["answers"] == ["Oslo", "in Oslo"]
    assert (first["context"], first["distractors"]) == ("Ida lives in Oslo.", ["Max lives in Rome."])
    beat = find_first_row(plan(written, "beats.csv")).rows[0]
    assert beat == {"question": "0 1 3 1 0", "answers": ["normal"]}


@pytest.mark.timeout(300)
def test_one_file_of_each_format_runs_to_its_end(written: Desk, home_desk: Desk) -> None:
    """The file of the page with one name changed, and no more; each trains its four steps and is measured."""
    written.environment.update(home_desk.environment)
    files = []
    for file in RUN:
        name = file.partition(".")[0]
        text = (written.folder / "first.yaml").read_text().replace("agent.jsonl", file)
        for change in (f"sweep={name}", *MORE.get(file, ())):
            key, _, value = change.partition("=")
            text = edit(text, key, value)
        files.append(str(written.write(f"{name}.yaml", text)))
    done = written.call("run", *files)
    assert done.status == 0, done.err
    for file in RUN:
        results = written.call("-f", "json", "results", file.partition(".")[0]).json
        (run,) = [run for run in results["runs"] if run["stage"]]  # beside the untrained model
        assert (run["state"], run["steps"]) == ("succeeded", 4), file
        metric = {"pairs.jsonl": "preference_accuracy", "facts.json": "accuracy"}.get(file, "nll")
        assert run["metrics"][metric] is not None


def edit(text: str, key: str, value: str) -> str:
    """What the command line does with KEY=VALUE, in the file."""
    last = key.rpartition(".")[2]
    if re.search(rf"\b{last}: ", text):
        return re.sub(rf"\b{last}: (\[.*?\]|[^\n,}}]+)", f"{last}: {value}", text, count=1)
    return text.replace("holdout: 1", f"holdout: 1, {last}: {value}") if "." in key else f"{text}{key}: {value}\n"
