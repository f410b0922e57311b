"""Find settings of a file that have no effect, or less than they say; the plan has a note for each."""

from collections.abc import Iterator

from sweeps.spec import axes
from sweeps.spec.model import SweepFields
from sweeps.spec.paths import get, is_integer
from sweeps.spec.scalars import show
from sweeps.spec.train_section import Train


class UnusedSettings:
    """Collects the settings that have no effect in some of the planned trainings."""

    def __init__(self, sweep: SweepFields) -> None:
        self._sweep = sweep
        self._found: dict[tuple[str, int, str], list[int]] = {}  # key, value, effect: the limit in each training

    def look(self, train: Train, *, steps: int, examples: int | None = None) -> None:
        """Check one training with this number of steps, and of examples if it reads any."""
        saves = self._sweep.checkpoint.every_steps
        if isinstance(train.warmup, int) and train.warmup > steps:
            self._keep("warmup", train.warmup, "steps, so the learning rate never reaches its peak", steps)
        if train.eval_every is not None and train.eval_every > steps:
            self._keep("eval_every", train.eval_every, "steps, so the validation set is never used", steps)
        if saves is not None and saves > steps:
            self._keep("checkpoint.every_steps", saves, "steps, so they save no checkpoint before their end", steps)
        if examples is not None and train.batch_size > examples:
            self._keep("batch_size", train.batch_size, "rows, so each step takes all of them", examples)

    def notes(self) -> Iterator[str]:
        """Write one sentence for each setting."""
        for (key, value, what), limits in self._found.items():
            many = f"{len(limits):,} trainings have" if len(limits) > 1 else "a training has"
            span = f"{min(limits):,}" if min(limits) == max(limits) else f"{min(limits):,} to {max(limits):,}"
            yield f"{key}: got {value:,}, but {many} {span} {what}"
        yield from _note_axes(self._sweep)
        yield from _note_overridden(self._sweep)

    def _keep(self, key: str, value: int, what: str, limit: int) -> None:
        self._found.setdefault((key, value, what), []).append(limit)


def _note_axes(sweep: SweepFields) -> Iterator[str]:
    """Note axes that stop before the end that they name, and axes with one value."""
    for path, axis in {**({"sizes": sweep.sizes} if sweep.sizes else {}), **sweep.vary}.items():
        last = axes.find_shortfall(axis)
        if last is not None and not isinstance(axis, tuple):
            whole = path == "sizes" or is_integer(SweepFields, tuple(path.split(".")))
            shown = round(last) if whole else last
            yield f"{path}: {show(shown)} is the last value: factor {axis.factor:g} does not reach {axis.ends[1]:g}"
        if path != "sizes" and axes.count_values(axis) == 1:
            yield f"{path}: got one value, so nothing differs along this axis"


def _note_overridden(sweep: SweepFields) -> Iterator[str]:
    """Note values of the file, or of the command line, that an axis replaces in every cell."""
    written = sweep.model_dump(exclude_unset=True)
    for path in sweep.vary:
        there = get(written, tuple(path.split(".")))
        waits = any(other in sweep.when for other in _find_group(sweep, path))
        if path != "model" and there is not None and not waits:
            yield f"{path}: got {show(there)}, but `vary` replaces it in every condition"


def _find_group(sweep: SweepFields, path: str) -> tuple[str, ...]:
    return next((group for group in sweep.zip if path in group), (path,))
