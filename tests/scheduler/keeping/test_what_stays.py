"""Nothing that an unfinished sweep needs is deleted: random sweeps that share stages, random ends, random ages."""

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.artefacts import Artefacts
from scheduler.engine.spread import spread_changes, walk_sweeps
from scheduler.state import keys, views
from scheduler.state.connection import Client
from scheduler.state.keeping.cleaning import Cleaning
from scheduler.state.keeping.removal import NotEnded, remove_sweep
from scheduler.state.keeping.retention import DAY, DEFAULT, KINDS, Retention, parse_retention
from scheduler.state.states import FINISHED
from scheduler.state.store import Store
from scheduler.state.submission import submit
from sweeps.stage import Json, Plan, Run, Stage
from tests.scheduler.keeping.kept_sweeps import Hands, list_answers
from tests.scheduler.plans import evaluate, plan, submission, train
from tests.support import FakeClock

SPEC: dict[str, Json] = {"experiment": "data_scaling", "evaluate": [{"name": "nll", "options": {}}]}
NAMES = ("a", "b", "c")
AGES = st.sampled_from([0.0, 1.0, 30.0, 400.0, math.inf])  # days


@st.composite
def build_sweeps(draw: st.DrawFn) -> list[Plan]:
    """Build up to three sweeps over one pool of trainings: some start from others, and sweeps share what they will."""
    pool: list[Stage] = []
    for number in range(draw(st.integers(2, 5))):
        parents = [pool[draw(st.integers(0, number - 1))].id] if number and draw(st.booleans()) else []
        pool.append(train(f"{number}x", *parents))
    plans = []
    for name in NAMES[: draw(st.integers(1, 3))]:
        chosen = draw(st.lists(st.sampled_from(range(len(pool))), min_size=1, unique=True))
        needed: set[str] = set()
        for number in sorted(chosen, reverse=True):
            needed.add(pool[number].id)
        for stage in reversed(pool):
            needed |= set(stage.parents) if stage.id in needed else set()
        trained = [stage for stage in pool if stage.id in needed]
        measured = [evaluate(f"of-{stage.id}", stage.id) for stage in trained]
        pairs = zip(trained, measured, strict=True)
        runs = [Run({"size": place}, 0, job.id, {"nll": test.id}) for place, (job, test) in enumerate(pairs)]
        plans.append(plan(name, [*trained, *measured], runs))
    return plans


def read_needed(store: Store, artefacts: Artefacts) -> dict[str, object]:
    """Read all that unfinished sweeps need: their stages, whole, with their checkpoints, curves and files."""
    needed: dict[str, object] = {}
    for name in NAMES:
        if store.client.hget(keys.sweep(name), "state") in (None, "finished", "cancelled"):
            continue
        needed[name] = list_answers(views.read_results(store, name))
        for stage in store.client.zrange(keys.sweep_stages(name), 0, -1):
            row = store.client.hgetall(keys.stage(stage))
            needed[stage] = (
                row,
                store.client.lrange(keys.checkpoints(stage), 0, -1),
                store.client.get(keys.curve(stage)),
            )
            result = store.read_result(stage) or {}
            for path in (result.get("items"), result.get("metrics_file")):
                if path:
                    needed[str(path)] = artefacts.read(str(path))
    return needed


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_an_unfinished_sweep_needs_is_never_touched(client: Client, tmp_path: Path, data: st.DataObject) -> None:
    client.flushall()
    clock, url = FakeClock(), str(tmp_path / "store")
    store = Store(client, clock)
    hands, names = Hands(store, Artefacts(url)), play_a_part(data, store, url)
    answers = {
        name: list_answers(views.read_results(store, name)) for name in names if state(store, name) == "finished"
    }
    clock.pass_seconds(DAY * data.draw(st.sampled_from([0, 2, 40, 500])))
    needed = read_needed(store, hands.artefacts)
    if data.draw(st.booleans()):
        answers.pop(remove_one(store, data.draw(st.sampled_from(names))), None)
    keep = Retention(**{kind: DAY * data.draw(AGES) for kind in KINDS})
    Cleaning(store, url, keep).run()
    assert read_needed(store, hands.artefacts) == needed
    assert {name: list_answers(views.read_results(store, name)) for name in answers} == answers
    _check_that_nothing_dangles(store)
    hands.finish(*(name for name in names if state(store, name) == "active"))  # what is left can be finished


def play_a_part(data: st.DataObject, store: Store, url: str) -> list[str]:
    """Submit sweeps, do a part of their stages, lose some attempts, cancel some sweeps. Return their names."""
    hands, plans = Hands(store, Artefacts(url)), data.draw(build_sweeps())
    for question in plans:
        submit(store, submission(question, spec={**SPEC, "sweep": question.sweep}))
    hands.most = data.draw(st.sampled_from([1, 3, 100]))
    for _ in range(data.draw(st.integers(1, 12))):
        hands.work()
    for question in plans:
        if data.draw(st.booleans()):
            store.scripts.run("cancel_sweep", question.sweep)
    for _ in range(20):
        walk_sweeps(store)
        spread_changes(store)
    return [question.sweep for question in plans]


def remove_one(store: Store, name: str) -> str:
    """Remove a sweep if it has ended, and only then. Return its name, or nothing."""
    try:
        remove_sweep(store, name)
    except NotEnded:
        assert state(store, name) not in ("finished", "cancelled")
        return ""
    return name


def state(store: Store, name: str) -> str:
    return store.client.hget(keys.sweep(name), "state") or ""


def _check_that_nothing_dangles(store: Store) -> None:
    """Every stage of an index exists, and every stage has its parents."""
    client = store.client
    for state in ("waiting", "ready", *FINISHED):
        for stage in client.zrange(keys.state(state), 0, -1):
            row = client.hgetall(keys.stage(stage))
            assert row["state"] == state
            assert all(client.exists(keys.stage(parent)) for parent in row.get("parents", "").split())
    for key in client.scan_iter(keys.stage("*")):
        assert client.exists(keys.stage(key.removeprefix(keys.stage("")).partition(":")[0])), key


def test_ages_are_read_and_what_is_no_age_is_refused() -> None:
    keep = parse_retention("events=2w, items=forever")
    assert (keep.events, keep.items, keep.curves) == (14 * DAY, math.inf, 90 * DAY)
    assert {word.partition("=")[0] for word in DEFAULT.split()} == set(KINDS)
    for wrong in ("events", "events=5", "event=5d", "events=-5d", "events=5d=6d"):
        with pytest.raises(ValueError, match="expected KIND=AGE"):
            parse_retention(wrong)
