"""Conditions of `exclude` and `when`: which values they mean, and whether any cell ever met them.

One that no cell meets is refused: what was to be left out would be trained, and what was to be varied would not.
"""

from collections.abc import Callable, Mapping, Sequence

from sweeps.errors import PlanError
from sweeps.spec.axes import Axis, find_meant, is_same
from sweeps.spec.scalars import show
from sweeps.spec.source import Plain

Values = Mapping[str, Sequence[Plain]]  # of each axis, by its path


class CellCondition:
    """What a cell must say, path by path."""

    def __init__(self, where: str, written: Mapping[str, Plain], axes: Mapping[str, Axis], values: Values) -> None:
        self.where = where
        self.met = False
        self._written = written
        self._meant = {
            path: find_meant(axes[path], values[path], value) if path in axes else (value,)
            for path, value in written.items()
        }

    def holds(self, said: Callable[[str], Plain], knows: Callable[[str], bool] = lambda _: True) -> bool:
        """Does a cell that says this at each path meet it? One that lacks a path does not."""
        found = all(
            knows(path) and len(values) == 1 and is_same(said(path), values[0]) for path, values in self._meant.items()
        )
        self.met = self.met or found
        return found

    def refuse_unmet(self, what: str) -> None:
        """Raise PlanError if no cell ever met it."""
        if not self.met:
            raise PlanError(
                f"{self.where}: no cell has {show(dict(self._written))}, so {what}; mend it, or leave it out"
            )


class Exclusions:
    """The cells that a file leaves out."""

    def __init__(self, exclude: Sequence[Mapping[str, Plain]], axes: Mapping[str, Axis], values: Values) -> None:
        self._conditions = [CellCondition(f"exclude.{place}", one, axes, values) for place, one in enumerate(exclude)]

    def hold(self, cell: Mapping[str, Plain]) -> bool:
        """Whether this cell is left out. Every condition is asked, or one that holds beside another would seem idle."""
        held = [one.holds(cell.__getitem__, cell.__contains__) for one in self._conditions]
        return any(held)

    def refuse_unmet(self) -> None:
        """Raise PlanError for one that left nothing out, when all cells have been asked for."""
        for one in self._conditions:
            one.refuse_unmet("it leaves nothing out")
