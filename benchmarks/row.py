"""A row of the results: one figure of ours beside a peer's or a floor's, with the bar that it is held to."""

import statistics
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PAIRS = 5  # the fewest


class Row(BaseModel):
    """One comparison. `ours` and `theirs` are in the order in which they were measured, so equal places are pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    against: str = ""  # the peer or the floor; empty where a figure stands alone
    unit: str
    ours: Annotated[list[float], Field(min_length=1)]
    theirs: list[float] = []
    most: float | None = None  # the bar: the ratio (the figure, where it stands alone) is at most this
    least: float | None = None  # or at least this
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours by theirs, pair by pair: what disturbed both members of a pair is not in their ratio."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)] if self.theirs else []

    @property
    def figure(self) -> float:
        """What the bar is held against: the median ratio, or the median of ours where it stands alone."""
        return statistics.median(self.ratios or self.ours)

    @property
    def met(self) -> bool | None:
        """Does the figure keep to the bar? None where there is no bar."""
        if self.most is None and self.least is None:
            return None
        above = self.most is not None and self.figure > self.most
        below = self.least is not None and self.figure < self.least
        return not (above or below)
