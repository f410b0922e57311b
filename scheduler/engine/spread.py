"""Spread changes: from changed stages to their sweeps and children, and from changed sweeps to their stages.

Both go page by page, and a stage that cannot be done holds up no other. Opens Redis; each step is a verb that may be
repeated.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from scheduler.state import keys
from scheduler.state.bug_log import MANY, run_isolated
from scheduler.state.connection import StoreBug
from scheduler.state.states import StageState
from scheduler.state.store import Store

PAGE = 200  # stages in one round trip
RECONSIDER = "reconsider"  # a walk that does no more than what follows each change
ENDED = {StageState.FAILED, StageState.CANCELLED, StageState.SKIPPED}  # without a result


def walk_sweeps(store: Store) -> int:
    """Continue each walk through a sweep by one page. Return how many walks made progress."""
    walks = store.client.zrange(keys.WALKS, 0, -1, withscores=True)
    further = 0
    for walk, position in walks:
        sweep, how, _ = walk.rsplit("|", 2)
        further += run_isolated(store, partial(_walk, store, sweep, how, walk, int(position)), 0, affected=sweep)
    return further


def _walk(store: Store, sweep: str, how: str, walk: str, start: int) -> int:
    """Walk through one page, and mark the stages that fail as changed, so that they are tried again.

    That would not reopen them. So if no stage of this page and none near it can be done, then the code is broken and
    not the stages: a walk with stages to reopen waits there for a fix.
    """
    action = partial(_reconsider, store, sweep, how)
    stages = _read_page(store, sweep, start)
    failed = _do_each_or_all(store, stages, action) if stages else []
    if stages and len(failed) == len(stages) and how != RECONSIDER and _have_ended(store, stages):
        near = _read_page(store, sweep, start - PAGE if start else PAGE)[-MANY:]
        if not any(_do_isolated(store, action, stage) for stage in near):
            return 0
    if not _put_back(store, failed):
        return 0
    if len(stages) == PAGE:
        # `xx`: a slower second scheduler must not restore a walk that the first one ended.
        store.client.zadd(keys.WALKS, {walk: start + PAGE}, xx=True)
    else:
        store.scripts.run("end_walk", sweep, walk)
    return 1


def _read_page(store: Store, sweep: str, start: int) -> list[str]:
    return list(store.client.zrange(keys.sweep_stages(sweep), start, start + PAGE - 1))


def _have_ended(store: Store, stages: Sequence[str]) -> bool:
    """Has any of them ended without a result, so that a walk may reopen it?"""
    pipe = store.client.pipeline(transaction=False)
    for stage in stages:
        pipe.hget(keys.stage(stage), "state")
    return not ENDED.isdisjoint(pipe.execute())


def _reconsider(store: Store, sweep: str, how: str, stages: Sequence[str]) -> None:
    if how != RECONSIDER:
        store.scripts.run("reopen_stages", how, *stages)
    store.scripts.run("reconsider_stages", *stages)
    store.scripts.run_many("update_sweep", [(sweep, stage) for stage in stages])


def _do_each_or_all(store: Store, stages: Sequence[str], action: Callable[[Sequence[str]], None]) -> list[str]:
    """Do all stages at once; if that fails, do each by itself. Return those that failed.

    The stages before the failed one are done twice; each action may be repeated.
    """
    try:
        action(stages)
    except StoreBug:
        return [stage for stage in stages if not _do_isolated(store, action, stage)]
    return []


def _do_isolated(store: Store, action: Callable[[Sequence[str]], None], stage: str) -> bool:
    """Do one stage. Return whether it could be done."""

    def do() -> bool:
        action([stage])
        return True

    return run_isolated(store, do, False, affected=stage)


def _put_back(store: Store, stages: Sequence[str]) -> bool:
    """Mark failed stages as changed again, behind the others: a fix may come, and no other stage waits for them.

    Return whether they are marked.
    """
    if not stages:
        return True
    return run_isolated(store, lambda: bool(store.scripts.run("mark_changed", *stages)), False)


def spread_changes(store: Store) -> int:
    """Spread each changed stage to its sweeps and children. Forget the change only when that is done."""
    page = store.client.zrange(keys.CHANGED, 0, PAGE - 1, withscores=True)
    changed = {stage: int(version) for stage, version in page}
    failed = _do_each_or_all(store, [*changed], lambda some: _spread(store, {stage: changed[stage] for stage in some}))
    _put_back(store, failed)
    return len(changed) - len(failed)


def _spread(store: Store, changed: Mapping[str, int]) -> None:
    if not changed:
        return
    near = _read_neighbours(store, [*changed])
    store.scripts.run_many(
        "update_sweep", [(sweep, stage) for stage, (sweeps, _) in near.items() for sweep in sorted(sweeps)]
    )
    affected = set(near).union(*(children for _, children in near.values()))
    for page in _split_pages(sorted(affected)):
        store.scripts.run("reconsider_stages", *page)
    store.scripts.run_many("forget_change", [*changed.items()])


def _read_neighbours(store: Store, stages: Sequence[str]) -> dict[str, tuple[set[str], set[str]]]:
    """Read for each stage the sweeps that want it and the stages that start from it."""
    pipe = store.client.pipeline(transaction=False)
    for stage in stages:
        pipe.smembers(keys.subscribers(stage))
        pipe.smembers(keys.children(stage))
    answers = pipe.execute()
    return dict(zip(stages, zip(answers[::2], answers[1::2], strict=True), strict=True))


def _split_pages(stages: Sequence[str]) -> Iterator[Sequence[str]]:
    return (stages[start : start + PAGE] for start in range(0, len(stages), PAGE))
