"""Conditions of `exclude` and `when`: which values they match, and whether any cell met them.

A condition that no cell meets is refused: the plan would train what `exclude` should remove, or never vary what `when`
should vary.
"""

from collections.abc import Callable, Mapping, Sequence

from sweeps.errors import PlanError
from sweeps.spec.axes import Axis, find_meant, is_same
from sweeps.spec.scalars import show
from sweeps.spec.source import Plain

Values = Mapping[str, Sequence[Plain]]  # of each axis, by its path


class CellCondition:
    """The values that a cell must have, path by path."""

    def __init__(self, where: str, written: Mapping[str, Plain], axes: Mapping[str, Axis], values: Values) -> None:
        self.where = where
        self.met = False
        self._written = written
        self._meant = {
            path: find_meant(axes[path], values[path], value) if path in axes else (value,)
            for path, value in written.items()
        }

    def holds(self, read: Callable[[str], Plain], knows: Callable[[str], bool] = lambda _: True) -> bool:
        """Say whether a cell with these values meets the condition. A cell without one of the paths does not."""
        is_met = all(
            knows(path) and len(values) == 1 and is_same(read(path), values[0]) for path, values in self._meant.items()
        )
        self.met = self.met or is_met
        return is_met

    def refuse_unmet(self, what: str) -> None:
        """Raise PlanError if no cell met the condition."""
        if not self.met:
            raise PlanError(
                f"{self.where}: no condition has {show(dict(self._written))}, so {what}; correct it, or leave it out"
            )


class Exclusions:
    """The cells that a file excludes."""

    def __init__(self, exclude: Sequence[Mapping[str, Plain]], axes: Mapping[str, Axis], values: Values) -> None:
        self._conditions = [
            CellCondition(f"exclude.{place}", condition, axes, values) for place, condition in enumerate(exclude)
        ]

    def hold(self, cell: Mapping[str, Plain]) -> bool:
        """Say whether this cell is excluded. All conditions are checked, so that none seems unmet."""
        held = [condition.holds(cell.__getitem__, cell.__contains__) for condition in self._conditions]
        return any(held)

    def refuse_unmet(self) -> None:
        """Raise PlanError for a condition that excluded nothing, after all cells were checked."""
        for condition in self._conditions:
            condition.refuse_unmet("it excludes nothing")
