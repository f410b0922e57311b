"""How long each kind of thing is kept: the grammar of SWEEP_KEEP and its defaults. Pure."""

import re
from dataclasses import dataclass, replace

DAY = 86_400.0
UNITS = {"h": 3600.0, "d": DAY, "w": 7 * DAY, "y": 365 * DAY}
FOREVER = float("inf")
KINDS = ("events", "curves", "items", "stages", "artefacts", "checkpoints", "logs")
DEFAULT = "events=30d curves=90d items=1y stages=1y artefacts=7d checkpoints=forever logs=30d"
WORD = re.compile(r"(\w+)=(?:(\d+)([hdwy])|(forever))")


@dataclass(frozen=True)
class Retention:
    """Seconds for which each kind is kept after its stage or its sweep has ended; infinite for ever."""

    events: float = FOREVER  # what happened to a stage, move by move
    curves: float = FOREVER  # of trainings: in Redis, and their files of metrics and rollouts
    items: float = FOREVER  # of evaluations: the files with a row for each item
    stages: float = FOREVER  # details of the stages of a sweep in Redis; then its archive is left
    artefacts: float = FOREVER  # files of attempts that no result and no checkpoint names
    checkpoints: float = FOREVER  # at the service; their own ttl_days may be shorter
    logs: float = FOREVER  # of our processes

    @property
    def answers(self) -> float:
        """When the answer of a sweep must be kept, because what it is drawn from may go."""
        return min(self.items, self.stages)


def parse_retention(text: str) -> Retention:
    """Read `kind=age` words, separated by spaces or commas; a kind that is not named has its default.

    Raises ValueError.
    """
    kept = Retention()
    for word in (*DEFAULT.split(), *text.replace(",", " ").split()):
        match = WORD.fullmatch(word)
        if match is None or match[1] not in KINDS:
            kinds = f"kinds: {', '.join(KINDS)}; ages: 12h, 30d, 8w, 1y, forever"
            expected = f"KIND=AGE, such as events=30d; {kinds}"
            raise ValueError(f"expected {expected}; got {word!r}")
        age = FOREVER if match[4] else int(match[2]) * UNITS[match[3]]
        kept = replace(kept, **{match[1]: age})
    return kept
