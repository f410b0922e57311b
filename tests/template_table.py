"""The table of docs/reference/chat-templates.md: what each model's chat template does with chats of every kind.

`python -m tests.template_table` measures it anew and writes it; test_real_templates.py measures it too,
and holds the document and an independent computation against it.
"""

import sys
import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sweeps.errors import DataError
from sweeps.records import Records
from sweeps.rendering.render import Example, LossMask, render_all
from sweeps.rendering.renderers import choose_renderer
from sweeps.rendering.tokenizer import get_template
from tests.scenarios import SCENARIOS
from tests.tokenizers import FAMILIES, real_tokenizer

DOCUMENT = Path(__file__).parents[1] / "docs/reference/chat-templates.md"
FIRST = "<!-- measured: python -m tests.template_table -->"
LAST = "<!-- measured until here -->"


class Way(NamedTuple):
    """A way of rendering: what a file says for it, and what it is called in the table."""

    name: str
    arguments: Mapping[str, Any]
    mask: LossMask


NO_THINKING = {"enable_thinking": False}
WAYS = (
    Way("exact", {}, "completion"),
    Way("each", {}, "each"),
    Way("without", NO_THINKING, "completion"),
    Way("each, without", NO_THINKING, "each"),
)
REFUSED = {  # by what the refusal says: a letter for the table, and what is right
    "leaves out thoughts": ("T", "the template writes no thoughts; rows without them, or another model"),
    "leaves out the tool": ("D", "the template does not tell of tools; rows without `tools`, or another model"),
    "leaves out the call": ("C", "the template leaves out a call; one call a message, or another model"),
    "leaves out tool_call_id": (
        "O",
        "results stand in another order than their calls; in the same order they are fine",
    ),
    "): part 1: ": ("P", "parts that are no text are not read; such rows left out"),
    "got an empty message": ("M", "an empty answer would teach to end at once; left out, or `weight: 0`"),
    "only supports single tool-calls": (
        "1",
        "the template takes one call a message; one after the other, or another model",
    ),
    "one message of the assistant for each turn": (
        "R",
        "answers in a row are not written as they would be asked for; joined into one they are fine",
    ),
    "writes an answer differently": (
        "H",
        "the template leaves out the thought before a call once its result is answered; rows that end with the call",
    ),
    "must alternate": ("A", "the template wants user and assistant in turns"),
    "leaves out 'I will look.'": ("B", "the template leaves out what is said beside a call; rows without it"),
}


class Cell(NamedTuple):
    """How a scenario goes with a family: the first way that is exact and its examples, or why it is refused."""

    said: str
    way: Way | None = None
    examples: tuple[Example, ...] = ()
    refusals: tuple[str, ...] = ()  # of the ways before it


@cache
def measure(family: str, kind: str) -> Cell:
    """Of a scenario. Raises ValueError for a refusal that is not known here."""
    row = SCENARIOS[kind]
    if FAMILIES[family].code is not None:
        return Cell("not served")
    tokenizer = real_tokenizer(family)
    template = get_template(tokenizer)
    assert template is not None
    refusals = []
    for way in WAYS:
        if not {*way.arguments} <= template.takes:
            continue
        arguments = ",".join(f"{key}={str(value).lower()}" for key, value in way.arguments.items())
        renderer = choose_renderer(f"chat_template:{arguments}" if arguments else None, tokenizer, messages=True)
        try:
            examples = render_all(Records("chat", (row,)), tokenizer, renderer=renderer, loss_mask=way.mask)
        except DataError as error:
            refusals.append(str(error))
        else:
            return Cell(way.name, way, tuple(examples), tuple(refusals))
    for words, (letter, _) in REFUSED.items():
        if any(words in refusal for refusal in refusals):
            return Cell(letter)
    raise ValueError(f"{family}: {refusals}")


def write(cells: Mapping[str, Mapping[str, str]]) -> str:
    """The measured part of the document, of what is said for each family and scenario."""
    names = list(cells)
    lines = [
        f"| | {' | '.join(names)} |",
        f"| --- |{' --- |' * len(names)}",
        *(f"| {scenario} | {' | '.join(cells[name][scenario] for name in names)} |" for scenario in SCENARIOS),
    ]
    reasons = [f"- **{letter}** {right}." for letter, right in REFUSED.values()]
    models = [
        f"- {name}: `{family.model}`{' (with the vocabulary of Qwen3: its own is in no package)' * family.borrowed}"
        for name, family in FAMILIES.items()
    ]
    return "\n".join(
        [FIRST, "", *lines, "", *map(_wrap, reasons), "", "The models:", "", *map(_wrap, models), "", LAST]
    )


def _wrap(item: str) -> str:
    """Wrap an item of a list as the documents do."""
    return textwrap.fill(item, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def table() -> str:
    return write({name: {kind: measure(name, kind).said for kind in SCENARIOS} for name in FAMILIES})


def main() -> None:
    """Measures, and writes the document."""
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(FIRST)
    DOCUMENT.write_text(before + table() + rest.partition(LAST)[2])
    sys.stdout.write(f"{DOCUMENT} is written\n")


if __name__ == "__main__":
    main()
