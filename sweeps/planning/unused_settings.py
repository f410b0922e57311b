"""What a file says and nothing follows from, or less than it says: told in the plan, for nobody sees it in a result."""

from collections.abc import Iterator

from sweeps.spec import axes
from sweeps.spec.model import SweepFields
from sweeps.spec.paths import get, is_integer
from sweeps.spec.scalars import show
from sweeps.spec.train_section import Train


class UnusedSettings:
    """Looks at every training that is planned, and keeps what does nothing in some of them."""

    def __init__(self, sweep: SweepFields) -> None:
        self._sweep = sweep
        self._found: dict[tuple[str, int, str], list[int]] = {}  # key, value, what becomes of it: the limit in each

    def look(self, train: Train, *, steps: int, examples: int | None = None) -> None:
        """At one training of so many steps; of so many examples, where it reads any."""
        saves = self._sweep.checkpoint.every_steps
        if isinstance(train.warmup, int) and train.warmup > steps:
            self._keep("warmup", train.warmup, "steps, and the learning rate never gets to what is written", steps)
        if train.eval_every is not None and train.eval_every > steps:
            self._keep("eval_every", train.eval_every, "steps, and the validation set is never looked at", steps)
        if saves is not None and saves > steps:
            self._keep("checkpoint.every_steps", saves, "steps, and no state is saved on the way by it", steps)
        if examples is not None and train.batch_size > examples:
            self._keep("batch_size", train.batch_size, "examples, and each step takes all there are", examples)

    def notes(self) -> Iterator[str]:
        """A sentence for each."""
        for (key, value, what), limits in self._found.items():
            many = f"{len(limits):,} trainings have" if len(limits) > 1 else "a training has"
            span = f"{min(limits):,}" if min(limits) == max(limits) else f"{min(limits):,} to {max(limits):,}"
            yield f"{key}: {value:,} found; {many} {span} {what}"
        yield from _of_axes(self._sweep)
        yield from _overridden(self._sweep)

    def _keep(self, key: str, value: int, what: str, limit: int) -> None:
        self._found.setdefault((key, value, what), []).append(limit)


def _of_axes(sweep: SweepFields) -> Iterator[str]:
    """Axes that end before the end that they name, and those along which nothing differs."""
    for path, axis in {**({"sizes": sweep.sizes} if sweep.sizes else {}), **sweep.vary}.items():
        last = axes.find_shortfall(axis)
        if last is not None and not isinstance(axis, tuple):
            whole = path == "sizes" or is_integer(SweepFields, tuple(path.split(".")))
            said = round(last) if whole else last
            yield f"{path}: {show(said)} is the last value; factor {axis.factor:g} does not reach {axis.ends[1]:g}"
        if path != "sizes" and axes.count_values(axis) == 1:
            yield f"{path}: one value found, so nothing differs along this axis"


def _overridden(sweep: SweepFields) -> Iterator[str]:
    """What stands in the file, or on the command line, and is said anew by an axis in every cell."""
    written = sweep.model_dump(exclude_unset=True)
    for path in sweep.vary:
        there = get(written, tuple(path.split(".")))
        waits = any(other in sweep.when for other in _together(sweep, path))
        if path != "model" and there is not None and not waits:
            yield f"{path}: {show(there)} found, which no cell has; `vary` says it for all of them"


def _together(sweep: SweepFields, path: str) -> tuple[str, ...]:
    return next((group for group in sweep.zip if path in group), (path,))
