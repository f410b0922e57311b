"""What goes to a server with a sweep file: the data that it names, from its own folder, and nothing else."""

from pathlib import Path

import pytest

from scheduler.cli.remote.spec_parcel import Parcel
from scheduler.errors import ServiceRefused
from sweeps.errors import SweepsError
from sweeps.spec.parse import Sweep, parse

SPEC = """
sweep: packed
experiment: data_scaling
model: {model}
train: {{method: sl, rank: 4, learning_rate: 0.01, batch_size: 4, steps: 4}}
data: {data}
sizes: [4, 8]
seeds: 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of specs with data in every form, and beside it what is nobody else's."""
    specs = tmp_path / "specs"
    for name in (
        "rows.jsonl",
        "held.jsonl",
        "quiz.csv",
        "shards/a-00000-of-00002.jsonl",
        "shards/a-00001-of-00002.jsonl",
    ):
        (specs / name).parent.mkdir(parents=True, exist_ok=True)
        (specs / name).write_text('{"text": "a"}\n')
    (specs / "unnamed.jsonl").write_text("")
    (tmp_path / "private.jsonl").write_text('{"text": "a"}\n')
    (specs / "link.jsonl").symlink_to(tmp_path / "private.jsonl")
    (specs / "tokenizer").mkdir()
    return specs


def read(data: str, model: str = "offline/ngram-s") -> Sweep:
    return parse(SPEC.format(data=data, model=model), name="spec.yaml", overrides=())


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ("{a: {source: rows.jsonl, holdout: held.jsonl}}", {"rows.jsonl", "held.jsonl"}),
        ("{a: {source: ./rows.jsonl, validation: held.jsonl}}", {"rows.jsonl", "held.jsonl"}),
        ("{a: {source: rows.jsonl, tests: {quiz: quiz.csv}}}", {"rows.jsonl", "quiz.csv"}),
        ("{a: {source: shards}}", {"shards/a-00000-of-00002.jsonl", "shards/a-00001-of-00002.jsonl"}),
        ('{a: {source: "shards/*.jsonl"}}', {"shards/a-00000-of-00002.jsonl", "shards/a-00001-of-00002.jsonl"}),
        (
            "{a: {source: rows.jsonl}}\nvary: {data.a.source: [rows.jsonl, quiz.csv], data.a.holdout: [2, held.jsonl]}",
            {"rows.jsonl", "quiz.csv", "held.jsonl"},
        ),
        ('{a: {source: "offline:code"}}', set()),
        ('{a: {source: "https://example.org/rows.jsonl"}}', set()),
    ],
)
def test_what_a_spec_names_goes_along(folder: Path, data: str, names: set[str]) -> None:
    parcel = Parcel()
    parcel.add_spec("../specs/spec.yaml", folder / "spec.yaml", read(data))
    assert parcel.files.keys() == {"../specs/spec.yaml"} | {f"../specs/{name}" for name in names}
    assert parcel.sweeps == ["packed"]


@pytest.mark.parametrize(
    "source", ["../private.jsonl", "link.jsonl", "FOLDER/rows.jsonl", "~/x.jsonl", "none.jsonl", "../*.jsonl"]
)
def test_nothing_else_goes_along(folder: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    (folder.parent / "x.jsonl").write_text('{"text": "a"}\n')
    named = source.replace("FOLDER", str(folder))
    parcel = Parcel()
    with pytest.raises(SweepsError, match=r"data\.a"):
        parcel.add_spec("spec.yaml", folder / "spec.yaml", read(f'{{a: {{source: "{named}"}}}}'))


def test_a_tokenizer_of_ones_own_does_not_go_along(folder: Path) -> None:
    sweep = read("{a: {source: rows.jsonl}}\ntokenizer: tokenizer", "acme/model")
    with pytest.raises(ServiceRefused):
        Parcel().add_spec("spec.yaml", folder / "spec.yaml", sweep)
