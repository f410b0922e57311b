"""The offline preferences are the same everywhere, and are seen in the order of words alone."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sweeps.data import load_dataset
from sweeps.data.generated_preferences import NAMES, TEST, TRAIN, generate_pairs, score_quality
from sweeps.errors import DataError
from sweeps.records import Records, Row
from sweeps.spec.sections import DataSpec

PINNED = {
    "preferences": "6e475b6328e62b1c995d7fcfc31f4b344b3b99845453b5a2d9e4babd841f6e26",
    "preferences_null": "b4840c7d3573a6e861c92d720b030d40c858a51b793346dd3bea0174a7c55552",
}


@pytest.mark.parametrize("name", NAMES)
def test_they_are_the_same_on_every_machine(name: str) -> None:
    pairs = generate_pairs(name)
    assert Records("preference", pairs.train).sha256 == PINNED[name]
    assert (len(pairs.train), len(pairs.test)) == (TRAIN, TEST)


def test_the_chosen_text_is_the_better_one_but_for_a_few_mistakes() -> None:
    better = [
        score_quality(row["chosen"]) > score_quality(row["rejected"]) for row in generate_pairs("preferences").train
    ]
    assert 0.95 < np.mean(better) < 0.99


def test_in_the_null_twin_a_coin_has_chosen_among_the_same_texts() -> None:
    real, null = generate_pairs("preferences").train, generate_pairs("preferences_null").train
    assert [{row["chosen"], row["rejected"]} for row in real] == [{row["chosen"], row["rejected"]} for row in null]
    kept = [ours["chosen"] == theirs["chosen"] for ours, theirs in zip(real, null, strict=True)]
    assert 0.45 < np.mean(kept) < 0.55


@pytest.mark.parametrize("pieces", [list, str.split], ids=["letters", "words"])
def test_single_letters_and_single_words_tell_next_to_nothing(pieces: Callable[[str], Iterable[str]]) -> None:
    """Logistic regression on which of them a text has, fitted to the training pairs, is right about 0.65 at most."""
    train, test = generate_pairs("preferences")
    known = {piece: column for column, piece in enumerate(sorted(_seen(train, pieces)))}
    seen, held = _differences(train, known, pieces), _differences(test, known, pieces)
    fitted = np.zeros(len(known))
    for _ in range(400):
        fitted += 0.5 * (seen.T @ (1 / (1 + np.exp(seen @ fitted))) / len(seen) - 1e-3 * fitted)
    assert float((held @ fitted > 0).mean()) <= 0.65


def _seen(rows: Sequence[Row], pieces: Callable[[str], Iterable[str]]) -> set[str]:
    return {piece for row in rows for side in ("chosen", "rejected") for piece in pieces(row[side])}


def _differences(
    rows: Sequence[Row], known: dict[str, int], pieces: Callable[[str], Iterable[str]]
) -> npt.NDArray[np.float64]:
    """How often each piece is in the chosen text, less how often in the rejected one."""
    counts = np.zeros((len(rows), len(known)))
    for number, row in enumerate(rows):
        for side, sign in (("chosen", 1), ("rejected", -1)):
            for piece in pieces(row[side]):
                if piece in known:
                    counts[number, known[piece]] += sign
    return counts


def test_they_load_as_pairs_with_a_held_out_part_of_their_own(tmp_path: Path) -> None:
    spec = DataSpec(source="offline:preferences", holdout=64, validation=32)
    data = load_dataset("pairs", spec, folder=tmp_path, cache=tmp_path)
    assert {part.format for part in (data.train, data.holdout)} == {"preference"}
    assert (len(data.train), len(data.holdout), len(data.validation or ())) == (TRAIN, 64, 32)
    with pytest.raises(DataError, match=r"offline:preferences: .*text .*preference"):
        load_dataset("pairs", spec.model_copy(update={"format": "text"}), folder=tmp_path, cache=tmp_path)
