"""Count what the offline models read as the same: every character outside printable ASCII is one token to them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from sweeps.records import Records, canonicalize_row
from sweeps.rendering.render import Example, LossMask, render_rows
from sweeps.rendering.tokenizer import OfflineTokenizer

ENOUGH = 2_000  # rows with such characters that are read
ESCAPED = re.compile(rb"\\[ubfrt]")  # in JSON as ASCII: a character that the models may not know
UNKNOWN = OfflineTokenizer().encode("\N{REPLACEMENT CHARACTER}")[0]
Tokens = tuple[int, ...]


class AlikeTexts(NamedTuple):
    """How many of the rows have an answer that reads as another, or an input that does so with another answer."""

    answers: int
    inputs: int
    rows: int
    examples: tuple[str, ...]  # two texts that read the same

    @property
    def share(self) -> float:
        """The larger share of the rows."""
        return max(self.answers, self.inputs) / self.rows if self.rows else 0.0


class _SeenRow(NamedTuple):
    """The inputs of a row, each with its answer; and its candidates."""

    pairs: tuple[tuple[Tokens, Tokens], ...]
    candidates: frozenset[Tokens]

    @property
    def answers(self) -> frozenset[Tokens]:
        return self.candidates | {answer for _, answer in self.pairs}


class ExactCharacters(OfflineTokenizer):
    """The offline tokenizer, but every character that it does not know has a token of its own."""

    def encode(self, text: str) -> list[int]:
        known = super().encode(text)
        return [self.size + ord(sign) if token == UNKNOWN else token for sign, token in zip(text, known, strict=True)]

    def _character(self, token: int) -> str:
        return super()._character(token) if token < self.size else chr(token - self.size)


EXACT = ExactCharacters()


def count_alike(parts: Iterable[Records], *, renderer: str, loss_mask: LossMask) -> AlikeTexts:
    """Count the rows of some records of which something reads as something else, to the offline models.

    Only rows with a character that the models do not know are rendered: two texts without one are never alike.
    """
    listed = list(parts)
    rows = [row for part in listed for row in _read_suspects(part, renderer, loss_mask)]
    answers_of = defaultdict[Tokens, set[Tokens]](set)
    for row in rows:
        for before, answer in row.pairs:
            answers_of[before].add(answer)
    answers = _group_alike({answer for row in rows for answer in row.answers})
    inputs = [
        group
        for group in _group_alike(answers_of)
        if len(set[Tokens]().union(*(answers_of[before] for before in group))) > 1
    ]
    same, split = ({text for group in groups for text in group} for groups in (answers, inputs))
    return AlikeTexts(
        answers=sum(not same.isdisjoint(row.answers) for row in rows),
        inputs=sum(any(before in split for before, _ in row.pairs) for row in rows),
        rows=sum(map(len, listed)),
        examples=tuple(EXACT.decode(text) for text in min(answers or inputs or [[]])[:2]),
    )


def _read_suspects(records: Records, renderer: str, loss_mask: LossMask) -> Iterator[_SeenRow]:
    """Render the rows with a character that the models may not know."""
    some = [row for row in records.rows if ESCAPED.search(canonicalize_row(row))][:ENOUGH]
    suspects = replace(records, rows=tuple(some), origins=(), groups=(), strata=())
    rendered = render_rows(suspects, EXACT, renderer=renderer, loss_mask=loss_mask)
    for row, examples in zip(some, rendered, strict=True):
        candidates = frozenset((*EXACT.encode(text), EXACT.eos) for text in row.get("candidates", ()))
        yield _SeenRow(tuple(map(_split, examples)), candidates)


def _split(example: Example) -> tuple[Tokens, Tokens]:
    """Return what stands before the first answer of an example, and all that is learnt of it."""
    before = example.tokens[: int(example.weights.argmax()) + 1]
    return tuple(before.tolist()), tuple(example.tokens[1:][example.weights > 0].tolist())


def _group_alike(texts: Iterable[Tokens]) -> list[list[Tokens]]:
    """Group the texts that read the same, where there are several."""
    groups = defaultdict[Tokens, list[Tokens]](list)
    for text in texts:
        groups[tuple(UNKNOWN if token >= EXACT.size else token for token in text)].append(text)
    return [sorted(group) for group in groups.values() if len(group) > 1]
