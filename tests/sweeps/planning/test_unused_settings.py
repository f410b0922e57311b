"""What a file says and nothing follows from is told in its plan; what does something is not."""

import pytest

from tests.sweeps.questions import HEAD, TRANSFER, planned

SMALL = TRANSFER.replace(", c: {source: c}, d: {source: d}, e: {source: e}", "").replace("600", "128")


def noted(text: str, path: str) -> list[str]:
    return [note for note in planned(text).notes if note.startswith(f"{path}: ")]


@pytest.mark.parametrize(
    ("text", "path", "count"),
    [
        (HEAD.replace("steps: 10", "steps: 10, warmup: 11"), "warmup", "2 trainings have 10 steps"),
        (HEAD.replace("steps: 10", "steps: 10, warmup: 10"), "warmup", ""),
        (HEAD.replace("steps: 10", "steps: 10, warmup: 0.5"), "warmup", ""),
        (
            HEAD.replace("steps: 10", "steps: 10, eval_every: 25").replace("holdout", "validation: 5, holdout"),
            "eval_every",
            "2 trainings have 10 steps",
        ),
        (HEAD + "checkpoint: {every_steps: 100}", "checkpoint.every_steps", "2 trainings have 10 steps"),
        (HEAD + "checkpoint: {every_steps: 10}", "checkpoint.every_steps", ""),
        (HEAD.replace("steps: 10", "steps: 10, batch_size: 1001"), "batch_size", "2 trainings have 1,000 rows"),
        (HEAD.replace("steps: 10", "steps: 10, batch_size: 1000"), "batch_size", ""),
        (SMALL, "batch_size", "16 rows"),
        (SMALL.replace("batch_size: 32", "batch_size: 16"), "batch_size", ""),
        (HEAD + "vary: {train.rank: [4]}", "train.rank", "one value"),
        (HEAD + "vary: {train.rank: [4, 8]}", "train.rank", ""),
        (HEAD + "vary: {train.learning_rate: [0.1, 0.2]}", "train.learning_rate", "0.01"),
        (HEAD + "vary: {train.steps: [5, 10]}", "train.steps", "10"),
        (HEAD + "vary: {model: [offline/ngram-s, offline/ngram-m]}", "model", ""),
        (
            HEAD + "vary: {train.steps: [5, 9], model: [s, m]}\nwhen: {train.steps: {model: m}}",
            "train.steps",
            "",
        ),
        (HEAD + "vary: {train.batch_size: {geom: [4, 30], factor: 2}}", "train.batch_size", "16 is the last value"),
        (HEAD + "vary: {train.batch_size: {geom: [4, 32], factor: 2}}", "train.batch_size", ""),
        (SMALL.replace("[16, 32, 64, 128]", "{geom: [16, 100], factor: 2}"), "sizes", "64 is the last value"),
    ],
)
def test_what_does_nothing_is_told(text: str, path: str, count: str) -> None:
    notes = noted(text, path)
    assert len(notes) == bool(count)
    assert count in "".join(notes)
