"""Count what an attempt lost in other people's code, by cause, for the places where people look. Touches nothing."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sweeps.stage import Json

LossKind = Literal["environment", "check", "service"]
KEPT = 5  # causes that are kept of each kind, the most frequent ones; all are counted
LONGEST = 500  # characters of a cause
RAISED = re.compile(r"^raised (\w+): .*( \([^()]+, line \d+[^()]*\))$", re.DOTALL)


class LossSource(NamedTuple):
    kind: LossKind
    name: str


class FirstLoss(NamedTuple):
    cause: str
    place: str


@dataclass
class LossTally:
    """The lost episodes and failed answers of one attempt.

    A cause says what went wrong, with the user's file and line. Exceptions of one class from one line are the same,
    whatever their messages; the first message and where it came are kept.
    """

    _lost: dict[LossSource, Counter[str]] = field(default_factory=dict)
    _first: dict[tuple[LossSource, str], FirstLoss] = field(default_factory=dict)
    _among: dict[LossSource, int] = field(default_factory=dict)

    def note(self, kind: LossKind, name: str, cause: str, first: str = "") -> None:
        """Count one loss."""
        source, same = LossSource(kind, name), RAISED.sub(r"raised \1\2", cause)[:LONGEST]
        self._lost.setdefault(source, Counter())[same] += 1
        self._first.setdefault((source, same), FirstLoss(cause[:LONGEST], first[:LONGEST]))

    def set_among(self, kind: LossKind, name: str, among: int) -> None:
        """Say among how many, lost or not."""
        self._among[LossSource(kind, name)] = among

    def document(self) -> list[Json]:
        """Return a row for each cause; empty if nothing was lost."""
        return [
            {
                "kind": source.kind,
                "name": source.name,
                "same": same,
                "cause": self._first[source, same].cause,
                "first": self._first[source, same].place,
                "lost": count,
                "among": self._among.get(source, count),
            }
            for source, causes in self._lost.items()
            for same, count in causes.most_common(KEPT)
        ]
