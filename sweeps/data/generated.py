"""The `offline:` sources that are made, not read: of which format they are, and their rows."""

from collections.abc import Mapping
from typing import NamedTuple

from sweeps.data import demonstrations, facts, generated_preferences
from sweeps.records import Format, Row


class Made(NamedTuple):
    train: tuple[Row, ...]
    test: tuple[Row, ...]


FORMATS: Mapping[str, Format] = {
    **dict.fromkeys(generated_preferences.NAMES, "preference"),
    "preferences_chosen": "completion",
    **dict.fromkeys(demonstrations.FAMILIES, "transcript"),
    **dict.fromkeys(facts.NAMES, "questions"),
}
"""By the name behind `offline:`."""


def make(name: str) -> Made:
    """The rows of `offline:<name>`, which is one of FORMATS."""
    if name in demonstrations.FAMILIES:
        return Made(
            *(tuple(demo.row for demo in demonstrations.make_demos(name, split)) for split in ("train", "test"))
        )
    if name in facts.NAMES:
        return Made(*facts.make_facts())
    if name == "preferences_chosen":
        pairs = generated_preferences.make_pairs("preferences")
        return Made(*(tuple(map(_chosen, part)) for part in pairs))
    return Made(*generated_preferences.make_pairs(name))


def _chosen(pair: Row) -> Row:
    """What to imitate before any preference is learned: the prompt with the text that was chosen."""
    return {"prompt": pair["prompt"], "completion": pair["chosen"]}
