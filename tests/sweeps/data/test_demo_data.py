"""Demonstrations: transcripts that replay to what they claim, rendered as an environment shows them."""

import json
from pathlib import Path

import numpy as np
import pytest

from sweeps.data import load_dataset
from sweeps.data.demonstrations import FAMILIES, TEST, TRAIN, generate_demos
from sweeps.data.generated import FORMATS, generate_rows
from sweeps.data.generated_preferences import generate_pairs
from sweeps.environments.builtin import load_builtin
from sweeps.errors import DataError
from sweeps.records import Records, Row
from sweeps.rendering.render import render, render_all
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.spec.sections import DataSpec
from tests.sweeps.parsed import measure_lengths

PINNED = {
    "tool_use_demos": "2757d641c8ffa617750c990439d0a57237a264ed23460803501da391518a5dd8",
    "arithmetic_demos": "b6993516c478b1ac1c19dadb7362c2b6814fc74febc0476705d731a3425d1295",
    "preferences_chosen": "60ef90334d84b6d9826f1b2714d298b15ec7171c8bc1927900802fda5a3f7234",
}
OFFLINE = OfflineTokenizer()


@pytest.mark.parametrize("name", PINNED)
def test_they_are_the_same_on_every_machine(name: str) -> None:
    made = generate_rows(name)
    assert Records(FORMATS[name], made.train).sha256 == PINNED[name]
    assert (len(made.train), len(made.test)) == (TRAIN, TEST)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_demonstration_replays_to_the_reward_that_it_claims(name: str) -> None:
    environment = load_builtin(f"offline:{name.removesuffix('_demos')}")
    rewards = []
    for demo in generate_demos(name, "train"):
        prompt, *parts = demo.row["parts"]
        episode = environment.episode(demo.seed, demo.split)
        assert prompt == {"text": episode.prompt, "loss": False}
        turns = [episode.step(part["text"]) for part in parts if part["loss"]]
        assert sum(turn.reward for turn in turns) == pytest.approx(demo.reward)
        shown = [{"text": turn.observation, "loss": False} for turn in turns if turn.observation]
        assert [part for part in parts if not part["loss"]] == shown
        assert [turn.done for turn in turns] == [False] * (len(turns) - 1) + [True]
        rewards.append(demo.reward)
    assert 0.7 < np.mean(rewards) < 0.95, "good, and yet to be beaten"


def test_what_is_demonstrated_to_train_on_is_never_measured_on() -> None:
    """Seen in arithmetic, where the prompt is the whole task."""
    train, test = ({row["parts"][0]["text"] for row in part} for part in generate_rows("arithmetic_demos"))
    assert not train & test


def test_the_chosen_texts_are_those_of_the_preferences() -> None:
    chosen = generate_rows("preferences_chosen")
    for pairs, part in zip(generate_pairs("preferences"), chosen, strict=True):
        assert [(row["prompt"], row["chosen"]) for row in pairs] == [(row["prompt"], row["completion"]) for row in part]


@pytest.mark.parametrize(("name", "form"), FORMATS.items())
def test_they_load_as_data(name: str, form: str, tmp_path: Path) -> None:
    spec = DataSpec(source=f"offline:{name}", holdout=128)
    data = load_dataset("mine", spec, folder=tmp_path, cache=tmp_path)
    assert data.train.format == data.holdout.format == form
    assert len(data.holdout) == 128
    assert len(data.train) > 0.95 * len(generate_rows(name).train)
    assert not list(tmp_path.iterdir())


def test_a_transcript_is_read_as_it_was_shown_and_bears_loss_on_its_actions() -> None:
    row = {"parts": [_part("Item: "), _part("s", loss=True), _part(" found 3="), _part("3\n", loss=True)]}
    example = render(row, "transcript", OFFLINE, loss_mask="completion")
    assert example.tokens.tolist() == [0, *OFFLINE.encode("Item: s found 3=3\n")]
    assert OFFLINE.decode(example.tokens[1:][example.weights > 0].tolist()) == "s3\n"
    assert example.text_bytes == 3
    assert measure_lengths(Records("transcript", (row,)), OFFLINE) == [len(example)]


def test_every_demonstration_renders() -> None:
    for name in FAMILIES:
        records = Records("transcript", generate_rows(name).test)
        examples = render_all(records, OFFLINE, loss_mask="completion")
        assert [len(example) for example in examples] == measure_lengths(records, OFFLINE)


def _part(text: str, *, loss: bool = False) -> Row:
    return {"text": text, "loss": loss}


def test_transcripts_are_read_from_files(tmp_path: Path) -> None:
    rows = [{"parts": [_part(f"{number}: "), {**_part("yes", loss=True), "by": "me"}]} for number in range(5)]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = load_dataset("mine", DataSpec(source="mine.jsonl", holdout=1), folder=tmp_path, cache=tmp_path)
    assert data.train.format == "transcript"
    assert data.train.rows[0]["parts"][1] == _part("yes", loss=True)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ("yes", "parts: .*list"),
        ([{"text": "a"}], r"parts\[0\]: .*text and loss"),
        ([{"text": "a", "loss": 1}], r"parts\[0\]: .*text and loss"),
        ([{"text": "a", "loss": False}], "parts: .*loss"),
        ([{"text": "", "loss": True}], "parts: .*loss"),
        ([], "parts: .*loss"),
    ],
)
def test_a_transcript_that_is_none_is_refused_by_line(parts: object, says: str, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(json.dumps({"parts": parts}))
    with pytest.raises(DataError, match=rf"mine.jsonl:1: {says}"):
        load_dataset("mine", DataSpec(source="mine.jsonl", holdout=1), folder=tmp_path, cache=tmp_path)
