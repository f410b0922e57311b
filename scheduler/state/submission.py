"""Write a plan into Redis: open the sweep, add its stages, seal it.

Nothing of it runs before the seal. Repeating any step changes nothing.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol, TypeVar

from scheduler.errors import SweepConflict
from scheduler.services import find_service, make_lane
from scheduler.state import keys
from scheduler.state.commands import Word
from scheduler.state.keeping.packing import pack
from scheduler.state.runs.round_store import change_until, hold_back, moves_end, read_until
from scheduler.state.runs.written_rows import CellNumbers, make_row, map_feeds
from scheduler.state.store import Store, compact
from sweeps.cost import Rates
from sweeps.stage import Json, Plan, Stage

T = TypeVar("T")
NAMED = 3  # settings that a line names
OTHER_CONTENT = "its data, or the code of an environment or a check,"
BATCH = 500  # calls in one pipeline: a few milliseconds for the server, little memory for us


class Progress(Protocol):
    """A callback that gets the number of written stages and of all stages."""

    def __call__(self, done: int, total: int) -> None: ...


@dataclass(frozen=True)
class Submission:
    """What a sweep has besides its stages."""

    plan: Plan
    spec: Mapping[str, Json]  # the parsed file, for people and for the report
    user: str
    rates: Mapping[str, Rates]  # of each model
    limit: int | None  # micro-dollars
    slots: int | None
    priority: int
    notify: tuple[str, ...]  # variables that hold the addresses for notices
    weight: float = 1.0
    window: str = ""  # JSON of the spec's section
    deadline: int | None = None  # milliseconds since 1970
    restated: Mapping[str, Json] = field(default_factory=dict)  # keys that the file sets to their default
    renames: str = "sweep=NAME"  # what the command that submits takes for another name


@dataclass(frozen=True)
class Submitted:
    """The result of a submission."""

    sweep: str
    fresh: bool  # False: the same sweep was submitted before
    known: int  # stages that other sweeps wanted before
    moved: bool = False  # the same sweep was submitted before, and is now to stop earlier or later


def submit(store: Store, submission: Submission, progress: Progress | None = None) -> Submitted:
    """Submit the sweep. Raise SweepConflict if its name has another content."""
    plan = submission.plan
    if _open(store, submission) == "same":
        return Submitted(plan.sweep, fresh=False, known=0, moved=_move_end(store, submission))
    _hold_back(store, submission)
    _write_runs(store, plan)
    known = 0
    for done, batch in _count_batches(_make_stage_calls(submission)):
        known += sum(int(answer) for answer in store.scripts.run_many("add_stage", batch))
        if progress:
            progress(done, len(plan.stages))
    sealed = store.scripts.run("seal_sweep", plan.sweep)  # 0: another process that submitted the same sweep was faster
    return Submitted(plan.sweep, fresh=bool(sealed), known=known)


def _move_end(store: Store, submission: Submission) -> bool:
    """Let a sweep that was submitted before stop where its file says now. Raise SweepConflict if it is archived."""
    name = submission.plan.sweep
    if not moves_end(store, name, submission.spec):
        return False
    if not store.client.exists(keys.sweep_archive(name)):
        _hold_back(store, submission)
        if change_until(store, name, submission.spec) != "archived":
            return True
    other = f"use another name (`{submission.renames}`): its results are reused as long as their stages are kept"
    raise SweepConflict(f"sweep {name!r} is archived and cannot go on with another `until`; {other}")


def _hold_back(store: Store, submission: Submission) -> None:
    plan = submission.plan
    held = ((stage.id, stage.parents, _make_stage_fields(submission, stage)) for stage in plan.held_stages)
    if plan.held:
        hold_back(store, plan.sweep, plan.held, held)


def _open(store: Store, submission: Submission) -> str:
    plan = submission.plan
    fields: dict[str, Word] = {
        "spec": json.dumps(dict(submission.spec)),
        "user": submission.user,
        "priority": submission.priority,
        "weight": submission.weight,
        "slots": submission.slots or 0,
        "window": submission.window,
        "deadline": "" if submission.deadline is None else submission.deadline,
        "lanes": " ".join(
            sorted({make_lane(str(stage.recipe["model"])) for stage in (*plan.stages, *plan.held_stages)})
        ),
        **({"until": compact(read_until(submission.spec))} if plan.held else {}),
        "limit": "" if submission.limit is None else submission.limit,
        "notify": json.dumps(submission.notify),
        "totals": json.dumps(asdict(plan.totals)),
        "defaults": json.dumps(_list_defaults(submission)),
        "left_out": json.dumps([evaluation._asdict() for evaluation in plan.left_out]),
        "models": " ".join(submission.rates),
    }
    flat = [word for pair in fields.items() for word in pair]
    answer: str = store.scripts.run("open_sweep", plan.sweep, plan.digest, *flat)
    if answer == "removing":
        raise SweepConflict(f"sweep {plan.sweep!r} is being removed; `sweep rm {plan.sweep} --yes` completes that")
    if answer == "differs":
        raise SweepConflict(_describe_conflict(store, submission))
    return answer


def _write_runs(store: Store, plan: Plan) -> None:
    """Write the rows, and which stage feeds which row."""
    cells = CellNumbers()
    for batch in _split_batches(enumerate(plan.runs)):
        rows = {str(number): make_row(cells, number, run) for number, run in batch}
        store.client.hset(keys.sweep_runs(plan.sweep), mapping=rows)
    for feeds in _split_batches(map_feeds(enumerate(plan.runs), cells).items()):
        store.client.hset(
            keys.sweep_feeds(plan.sweep), mapping={stage: json.dumps(targets) for stage, targets in feeds}
        )


def _make_stage_calls(submission: Submission) -> Iterator[tuple[Word, ...]]:
    plan = submission.plan
    for position, stage in enumerate(plan.stages):
        fields = _make_stage_fields(submission, stage)
        flat = (word for pair in fields.items() for word in pair)
        yield (plan.sweep, position, stage.id, " ".join(stage.parents), *flat)


def _make_stage_fields(submission: Submission, stage: Stage) -> dict[str, Word]:
    model, keep = str(stage.recipe["model"]), _read_keep(stage.execution)
    return {
        **({"keep": keep} if keep else {}),
        "kind": stage.kind,
        "service": find_service(model),
        "lane": make_lane(model),
        "label": stage.label,
        "recipe": pack(stage.recipe),
        "execution": pack(stage.execution),
        "steps": stage.steps,
        "estimate": stage.micro_usd or 0,
        "low_estimate": stage.low_micro_usd or 0,
        "rates": "" if stage.micro_usd is None else compact(submission.rates[model].document()),
    }


def _read_keep(execution: Mapping[str, Json]) -> str:
    """Return how many checkpoints to keep: a number, `all`, or '' for the last."""
    policy = execution.get("checkpoint")
    keep = policy.get("keep") if isinstance(policy, dict) else None
    return "" if keep in (None, "last") else str(keep)


def _list_defaults(submission: Submission) -> dict[str, Json]:
    """List the settings that are at their default, written in the file or not, by their dotted paths."""
    return {**submission.restated, **dict(submission.plan.defaults)}


def _describe_conflict(store: Store, submission: Submission) -> str:
    name = submission.plan.sweep
    before = read_defaults(store, name)
    now = _list_defaults(submission)
    lines = []
    for path, old, new in _find_changes(store, name, submission.spec):
        there = spell_setting(old, before.get(path), unset="nothing")
        lines.append(f"  {path}: {there} was submitted, now it is {spell_setting(new, now.get(path))}")
    what = "\n".join(lines) or f"  the file is the same, but {OTHER_CONTENT} changed since"
    again = ", or submit what was submitted before" if submission.renames == Submission.renames else ""
    return (
        f"sweep {name!r} was submitted before with other content:\n{what}\n"
        f"use another name (`{submission.renames}`){again}"
    )


def describe_taken_name(store: Store, name: str, spec: Mapping[str, Json]) -> str:
    """Say in one line that the name is that of a sweep with other settings, and which settings it was submitted with.

    `spec` is that of a submission.
    """
    before = read_defaults(store, name)
    settings = [f"{path}: {spell_setting(old, before.get(path))}" for path, old, _ in _find_changes(store, name, spec)]
    more = f", and {len(settings) - NAMED:,} more" if len(settings) > NAMED else ""
    other = f"other settings ({', '.join(settings[:NAMED])}{more})" if settings else "the same settings"
    since = "" if settings else f", but {OTHER_CONTENT} changed since"
    return f"the sweep {name!r} was submitted with {other}{since}; choose another name: sweep=NAME"


def read_defaults(store: Store, name: str) -> dict[str, Json]:
    """Read the settings of a sweep that are at their default, by their dotted paths."""
    return dict(json.loads(store.client.hget(keys.sweep(name), "defaults") or "{}"))


def _find_changes(store: Store, name: str, spec: Mapping[str, Json]) -> Iterator[tuple[str, str, str]]:
    return find_differences(json.loads(store.client.hget(keys.sweep(name), "spec") or "{}"), spec)


def spell_setting(value: str, default: Json = None, unset: str = "not set") -> str:
    """Write a value as JSON has it. What no file gives is its default, or not set where it has none."""
    if value != "null":
        return value
    return unset if default is None else f"{json.dumps(default)} (the default)"


def find_differences(
    there: Mapping[str, Json], here: Mapping[str, Json], path: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yield the dotted paths at which two files differ, with both values."""
    for key in sorted({*there, *here}):
        old, new = there.get(key), here.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from find_differences(old, new, f"{path}{key}.")
        elif old != new:
            yield f"{path}{key}", json.dumps(old), json.dumps(new)


def _split_batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, BATCH)):
        yield batch


def _count_batches(items: Iterable[T]) -> Iterator[tuple[int, list[T]]]:
    done = 0
    for batch in _split_batches(items):
        done += len(batch)
        yield done, batch
