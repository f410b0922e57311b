"""Submitting twice is submitting once, from anywhere; and a sweep that is not wholly written never runs."""

import itertools
import multiprocessing
import re
from dataclasses import replace
from typing import Any

import pytest

from scheduler.errors import SweepConflict
from scheduler.state import keys
from scheduler.state.store import Meter, Store
from scheduler.state.submission import _make_stage_calls, _open, _write_runs, submit
from sweeps.planning.plan import Plan
from tests.scheduler.night import LEASE, Night
from tests.scheduler.plans import evaluate, plan, scaling, single, submission, train
from tests.support import RedisServer


def submit_half(store: Store, question: Plan, count: int) -> None:
    """A submission that is cut off after `count` stages."""
    asked = submission(question)
    _open(store, asked)
    _write_runs(store, question)
    store.scripts.run_many("add_stage", list(itertools.islice(_make_stage_calls(asked), count)))


def test_submitting_twice_changes_nothing(night: Night) -> None:
    question = scaling("s", [8, 16])
    assert night.submit(question).fresh
    before = night.snapshot()
    assert not night.submit(question).fresh
    assert night.snapshot() == before


def test_submitting_twice_while_it_runs_changes_nothing(night: Night) -> None:
    question = scaling("s", [8, 16])
    night.submit(question)
    night.start("train-n8s0", "s")
    night.do("evaluate-base", "s", {"nll": 2.0})
    before = night.snapshot()
    night.submit(question)
    assert night.snapshot() == before


def _submit_elsewhere(url: str, start: Any, answers: Any) -> None:
    from scheduler.state.connection import connect  # a spawned process imports for itself

    client = connect(url)
    start.wait(60)
    answers.put(submit(Store(client), submission(scaling("s", [8, 16, 32, 64], seeds=20))).fresh)
    client.close()


def test_two_processes_that_submit_at_once_make_one_sweep(night: Night, redis: RedisServer) -> None:
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Barrier(2), spawn.Queue()
    people = [spawn.Process(target=_submit_elsewhere, args=(redis.url, start, answers)) for _ in range(2)]
    for process in people:
        process.start()
    fresh = [answers.get(timeout=60) for _ in people]
    for process in people:
        process.join(60)
    assert fresh.count(True) == 1
    night.spread()
    question = scaling("s", [8, 16, 32, 64], seeds=20)
    client = night.store.client
    assert client.zcard(keys.sweep_stages("s")) == len(question.stages)
    assert len(client.hgetall(keys.sweep_runs("s"))) == len(question.runs)
    ready, waiting = client.zcard(keys.state("ready")), client.zcard(keys.state("waiting"))
    assert (ready, ready + waiting) == (1 + 80, len(question.stages))


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_a_half_submitted_sweep_never_runs_and_submitting_again_completes_it(night: Night, count: int) -> None:
    question = scaling("s", [8])
    submit_half(night.store, question, count)
    night.spread()
    assert night.sweep_state("s") == "opening"
    assert {night.state(stage.id) for stage in question.stages[:count]} <= {"waiting"}
    assert not night.store.dispatch("evaluate-base", sweep="s", patience=9).attempt
    submitted = night.submit(question)
    assert (submitted.fresh, submitted.known) == (True, 0)
    assert night.sweep_state("s") == "active"
    assert [night.state(stage.id) for stage in question.stages] == ["ready", "ready", "waiting", "ready", "waiting"]


def test_a_scheduler_that_ticks_while_a_sweep_is_written_cancels_nothing_of_it(night: Night) -> None:
    night.submit(plan("first", [train("a")]))
    question = plan("second", [train("a"), evaluate("a", "train-a"), train("b")])
    submit_half(night.store, question, 3)
    night.do("train-a", "first")
    night.store.scripts.run("cancel_sweep", "first")
    night.spread()
    submit(night.store, submission(question))
    night.spread()
    assert [night.state(stage.id) for stage in question.stages] == ["succeeded", "ready", "ready"]
    assert night.sweep_state("second") == "active"


def test_a_stage_called_off_while_another_sweep_was_being_written_is_done_for_that_one(night: Night) -> None:
    night.submit(single("first", 2))
    lease = night.start("train-0000", "first")
    submit_half(night.store, single("second", 2), 2)
    night.store.scripts.run("cancel_sweep", "first")
    night.spread()
    night.submit(single("second", 2))
    assert night.state("train-0001") == "ready"
    assert night.renew(lease) == ["yield"], "the new one pays on"


def test_a_half_submitted_sweep_reopens_nothing(night: Night) -> None:
    night.submit(single("first", 1))
    night.fail(night.start("train-0000", "first"))
    night.spread()
    submit_half(night.store, single("second", 1), 1)
    night.spread()
    assert (night.state("train-0000"), night.sweep_state("first")) == ("failed", "finished")


def test_a_sweep_cancelled_before_it_was_wholly_written_does_not_pass_for_the_whole(night: Night) -> None:
    question = scaling("s", [8])
    submit_half(night.store, question, 3)
    night.store.scripts.run("cancel_sweep", "s")
    night.spread()
    assert night.sweep_state("s") == "cancelled"
    night.store.scripts.run("retry_sweep", "s")
    night.spread()
    assert night.sweep_state("s") == "opening"
    night.submit(question)
    assert night.sweep_state("s") == "active"
    assert night.store.client.zcard(keys.sweep_stages("s")) == len(question.stages)
    assert night.state("train-n8s1") == "ready"


def test_another_question_under_the_same_name_is_refused_with_a_diff_and_changes_nothing(night: Night) -> None:
    spec = {"sweep": "s", "train": {"rank": 8, "steps": 100}}
    night.submit(single("s", 2), spec=spec)
    before = night.snapshot()
    with pytest.raises(SweepConflict) as refused:
        night.submit(single("s", 3), spec={"sweep": "s", "train": {"rank": 16, "steps": 100}, "seeds": 2})
    message = str(refused.value)
    assert "'s'" in message
    numbers = {line.split(":")[0].strip(): re.findall(r"\b\d+\b", line) for line in message.splitlines()}
    assert (numbers["train.rank"], numbers["seeds"]) == (["8", "16"], ["2"])
    assert "steps" not in message
    assert "default" not in message, "seeds has none here, so none is named"
    assert night.snapshot() == before
    assert "--as" not in message
    with pytest.raises(SweepConflict, match=r"`--as NAME`"):
        submit(night.store, replace(submission(single("s", 3)), renames="--as NAME"))


def test_the_same_file_about_data_that_changed_is_refused_and_says_so(night: Night) -> None:
    night.submit(single("s", 2))
    with pytest.raises(SweepConflict, match=r"data.*code"):
        night.submit(replace(single("s", 2), digest="another"))


def test_a_second_sweep_reuses_finished_stages_for_nothing(night: Night) -> None:
    night.submit(scaling("first", [8]))
    for stage, nll in [("evaluate-base", 3.0), ("train-n8s0", 0.1), ("evaluate-n8s0", 2.0)]:
        night.do(stage, "first", {"nll": nll})
    submitted = night.submit(scaling("second", [8, 16]))
    assert submitted.known == 5
    assert night.money("second") == (0, 0, 0)
    assert night.store.client.hgetall(keys.sweep_values("second")) == {
        f"{run}|{metric}": value
        for run, metric, value in [(n, "zero_shot.nll", "3") for n in range(4)] + [(0, "nll", "2")]
    }
    assert night.state("train-n16s0") == "ready"


def test_a_sweep_whose_every_stage_is_reused_is_finished_at_once(night: Night) -> None:
    night.submit(single("first", 3))
    for number in range(3):
        night.do(f"train-{number:04d}", "first")
    night.submit(single("second", 3))
    assert (night.sweep_state("second"), night.money("second")) == ("finished", (0, 0, 0))


@pytest.mark.parametrize("end", ["failed", "cancelled", "skipped"])
def test_what_ended_without_a_result_is_opened_again_for_a_new_sweep(night: Night, end: str) -> None:
    question = [train("a"), evaluate("a", "train-a")]
    night.submit(plan("first", question))
    if end == "cancelled":
        night.store.scripts.run("cancel_sweep", "first")
        night.spread()
    else:
        night.fail(night.start("train-a", "first"))
        night.spread()
    stage = "evaluate-a" if end == "skipped" else "train-a"
    assert night.state(stage) == end
    night.submit(plan("second", question))
    assert (night.state("train-a"), night.state("evaluate-a")) == ("ready", "waiting")
    night.do("train-a", "second")
    night.do("evaluate-a", "second")
    assert night.sweep_state("second") == "finished"


def test_a_stage_opened_for_a_new_sweep_has_no_failures_behind_it(night: Night) -> None:
    night.submit(single("first", 1))
    lease = night.start("train-0000", "first")
    night.store.give_back(lease, Meter(0, 0), delay=0, failure="unknown", cost="exact", cause="who knows")
    night.spread()
    night.fail(night.start("train-0000", "first"))
    night.spread()
    night.submit(single("second", 1))
    night.start("train-0000", "second")
    assert night.store.read_assignment("train-0000").failures == {}


def test_an_opened_stage_starts_at_once_however_long_its_last_backoff_was(night: Night) -> None:
    night.submit(single("first", 1))
    lease = night.start("train-0000", "first")
    night.store.give_back(lease, Meter(0, 0), delay=3600, failure="", cost="exact", cause="no money")
    night.store.scripts.run("cancel_sweep", "first")
    night.spread()
    night.submit(single("second", 1))
    assert night.start("train-0000", "second")


def test_while_a_stage_runs_for_one_sweep_another_one_waits_for_it_and_pays_nothing(night: Night) -> None:
    night.submit(single("first", 1))
    lease = night.start("train-0000", "first")
    night.submit(single("second", 1))
    assert night.store.dispatch("train-0000", sweep="second", patience=LEASE).refused == "not ready"
    night.succeed(lease)
    night.spread()
    assert (night.sweep_state("first"), night.sweep_state("second")) == ("finished", "finished")
    assert (night.money("first"), night.money("second")) == ((1_000, 0, 0), (0, 0, 0))
