"""Values of some places by seed, to be subtracted seed by seed; a place that is measured once counts for every seed."""

from collections.abc import Collection, Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

Place = TypeVar("Place", bound=Hashable)
Values = Mapping[int, float]  # by seed


class SeedValues(NamedTuple, Generic[Place]):
    """What was measured, and the places that are measured once: their single run counts for every seed."""

    values: Mapping[Place, Values]
    once: Collection[Place]

    def subtract(self, place: Place, other: Place) -> Values:
        """Subtract other from one, for every seed that both have."""
        seeds = sorted({*self.values.get(place, ()), *self.values.get(other, ())})
        pairs = {seed: (self._read(place, seed), self._read(other, seed)) for seed in seeds}
        return {seed: left - right for seed, (left, right) in pairs.items() if left is not None and right is not None}

    def _read(self, place: Place, seed: int) -> float | None:
        by_seed = self.values.get(place, {})
        return next(iter(by_seed.values()), None) if place in self.once else by_seed.get(seed)
