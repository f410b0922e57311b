"""The `offline:` sources that are made, not read: of which format they are, and their rows."""

from collections.abc import Mapping
from typing import NamedTuple

from sweeps.data import demonstrations, facts, generated_preferences
from sweeps.records import Format, Row


class GeneratedRows(NamedTuple):
    train: tuple[Row, ...]
    test: tuple[Row, ...]


FORMATS: Mapping[str, Format] = {
    **dict.fromkeys(generated_preferences.NAMES, "preference"),
    "preferences_chosen": "completion",
    **dict.fromkeys(demonstrations.FAMILIES, "transcript"),
    **dict.fromkeys(facts.NAMES, "questions"),
}
"""By the name behind `offline:`."""


def generate_rows(name: str) -> GeneratedRows:
    """Generate the rows of `offline:<name>`, which is one of FORMATS."""
    if name in demonstrations.FAMILIES:
        return GeneratedRows(
            *(tuple(demo.row for demo in demonstrations.generate_demos(name, split)) for split in ("train", "test"))
        )
    if name in facts.NAMES:
        return GeneratedRows(*facts.generate_facts())
    if name == "preferences_chosen":
        pairs = generated_preferences.generate_pairs("preferences")
        return GeneratedRows(*(tuple(map(_keep_chosen, part)) for part in pairs))
    return GeneratedRows(*generated_preferences.generate_pairs(name))


def _keep_chosen(pair: Row) -> Row:
    """Keep the prompt with the chosen text: the data to imitate before preferences are learnt."""
    return {"prompt": pair["prompt"], "completion": pair["chosen"]}
