"""A round is appended once or not at all, whoever decides; and a sweep with `until` ends when its rounds do."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from scheduler.errors import SweepConflict
from scheduler.state import keys
from scheduler.state.runs.round_store import append_round, read_held_runs, read_rounds, stop_rounds
from scheduler.state.views import read_results, read_sweep
from scheduler.waiting_reasons import FleetStatus, explain_waiting
from sweeps.stage import HeldRun
from tests.scheduler.night import Night
from tests.scheduler.plans import rounds, rounds_spec, scaling

SIZES = (8, 16)


def submit(night: Night, name: str = "s", *, ratio: float = 1.5, **options: Any) -> None:
    night.submit(rounds(name, SIZES, seeds=3, first=1), spec=rounds_spec(name, ratio), **options)


def end_first_round(night: Night, name: str = "s") -> None:
    night.do("evaluate-base", name, {"nll": 2.0})
    for size in SIZES:
        end_run(night, size, 0, name)


def end_run(night: Night, size: int, seed: int, name: str = "s") -> None:
    night.do(f"train-n{size}s{seed}", name)
    night.do(f"evaluate-n{size}s{seed}", name, {"nll": 1.0 + 1 / size + seed / 100})


def choose(night: Night, seed: int, name: str = "s") -> Sequence[HeldRun]:
    return [held for held in read_held_runs(night.store, name) if held.run.seed == seed]


def is_due(night: Night, name: str = "s") -> bool:
    return night.store.client.zscore(keys.ROUNDS_DUE, name) is not None


def test_a_sweep_whose_round_is_over_is_due_and_not_finished(night: Night) -> None:
    submit(night)
    assert read_sweep(night.store, "s").total == 1 + 2 * len(SIZES), "only the first round has stages"
    assert not is_due(night)
    end_first_round(night)
    assert is_due(night)
    assert night.sweep_state("s") == "active"


def test_a_round_adds_its_rows_stages_and_values_like_those_of_a_plan(night: Night) -> None:
    submit(night)
    end_first_round(night)
    assert append_round(night.store, "s", 0, choose(night, 1), {"parts": []}) == "appended"
    night.spread()
    assert not is_due(night)
    assert night.state("train-n8s1") == "ready"
    for size in SIZES:
        end_run(night, size, 1)
    whole = scaling("whole", SIZES, seeds=2)
    night.submit(whole)  # the same stages: nothing is left to run
    assert night.sweep_state("whole") == "finished"
    mine = {(row.cell["size"], row.seed): row.metrics for row in read_results(night.store, "s")}
    assert mine == {(row.cell["size"], row.seed): row.metrics for row in read_results(night.store, "whole")}
    assert night.store.client.hgetall(keys.sweep_cells("s")) == pytest.approx(
        night.store.client.hgetall(keys.sweep_cells("whole"))
    )
    assert is_due(night), "for the next one"


def test_two_that_decide_at_once_append_one_round(night: Night) -> None:
    submit(night)
    end_first_round(night)
    assert append_round(night.store, "s", 0, choose(night, 1), {"parts": []}) == "appended"
    before = night.snapshot()
    assert append_round(night.store, "s", 0, choose(night, 1), {"parts": []}) == "stale"
    assert append_round(night.store, "s", 0, choose(night, 2), {"parts": []}) == "stale"
    assert stop_rounds(night.store, "s", 0, {"code": "reached"}) == "stale"
    assert night.snapshot() == before
    night.spread()
    assert append_round(night.store, "s", 1, choose(night, 2), {"parts": []}) == "busy", "this round is not over"


def test_what_others_did_before_is_shared_and_what_failed_for_them_is_tried_again(night: Night) -> None:
    night.submit(scaling("other", SIZES, seeds=2))
    end_run(night, 8, 1, "other")
    night.fail(night.start("train-n16s1", "other"))
    night.spread()
    assert night.state("evaluate-n16s1") == "skipped"
    submit(night)
    end_first_round(night)
    append_round(night.store, "s", 0, choose(night, 1), {"parts": []})
    night.spread()
    assert night.state("train-n8s1") == "succeeded"
    assert night.state("train-n16s1") == "ready"
    assert {row.seed: row.metrics for row in read_results(night.store, "s") if row.cell["size"] == 8}[1]["nll"]


def test_rounds_that_stop_end_the_sweep_and_it_says_why(night: Night) -> None:
    submit(night, notify=("HOOK",))
    end_first_round(night)
    night.store.client.hset(keys.sweep("s"), "rounds_wait", "the store is away")
    waits = explain_waiting(read_sweep(night.store, "s"), FleetStatus(1, 1, {}))
    assert (waits.gate, "the store is away" in waits.text) == ("rounds", True)
    assert stop_rounds(night.store, "s", 0, {"code": "reached"}) == "stopped"
    assert night.sweep_state("s") == "finished"
    known = read_rounds(night.store, "s")
    assert known is not None
    assert (known.stopped, known.count) == ({"code": "reached"}, 0)
    assert read_sweep(night.store, "s").rounds_wait == ""
    assert stop_rounds(night.store, "s", 0, {"code": "reached"}) == "finished"


def test_nothing_follows_while_the_sweep_is_paused_and_it_is_due_when_it_goes_on(night: Night) -> None:
    submit(night)
    end_first_round(night)
    night.tell("pause_sweep", "s")
    assert append_round(night.store, "s", 0, choose(night, 1), {"parts": []}) == "paused"
    night.tell("resume_sweep", "s")
    assert is_due(night)
    night.tell("cancel_sweep", "s")
    assert append_round(night.store, "s", 0, choose(night, 1), {"parts": []}) == "cancelled"
    assert not is_due(night)


def test_a_retry_asks_again_what_follows(night: Night) -> None:
    submit(night)
    end_first_round(night)
    stop_rounds(night.store, "s", 0, {"code": "no_answer"})
    night.tell("retry_sweep", "s")
    assert (night.sweep_state("s"), is_due(night)) == ("active", True)


def test_another_until_under_the_same_name_goes_on_from_what_is_there(night: Night) -> None:
    submit(night)
    end_first_round(night)
    stop_rounds(night.store, "s", 0, {"code": "reached"})
    again = night.submit(rounds("s", SIZES, seeds=3, first=1), spec=rounds_spec("s", 1.2))
    assert (again.fresh, again.moved) == (False, True)
    assert (night.sweep_state("s"), is_due(night)) == ("active", True)
    known, view = read_rounds(night.store, "s"), read_sweep(night.store, "s")
    assert known is not None
    assert (known.until, known.stopped) == ({"minimum_data": {"ratio": 1.2}}, None)
    assert view.spec["until"] == known.until
    before = night.snapshot()
    assert not night.submit(rounds("s", SIZES, seeds=3, first=1), spec=rounds_spec("s", 1.2)).moved
    assert night.snapshot() == before


def test_an_until_that_is_added_or_taken_away_goes_on_from_what_is_there(night: Night) -> None:
    plain = rounds("s", SIZES, seeds=2, first=2)
    night.submit(replace(plain, held=(), held_stages=()))
    for size in SIZES:
        end_run(night, size, 0)
        end_run(night, size, 1)
    night.do("evaluate-base", "s", {"nll": 2.0})
    assert night.sweep_state("s") == "finished"
    submit(night)
    assert (night.sweep_state("s"), is_due(night)) == ("active", True)
    assert night.submit(replace(plain, held=(), held_stages=())).moved
    known = read_rounds(night.store, "s")
    assert known is not None
    assert known.until == {"full_grid": True}


def test_a_sweep_whose_details_are_gone_cannot_go_on(night: Night) -> None:
    submit(night)
    end_first_round(night)
    stop_rounds(night.store, "s", 0, {"code": "reached"})
    assert night.tell("archive_sweep", "s", "packed") == "archived"
    before = night.snapshot()
    with pytest.raises(SweepConflict, match="until"):
        submit(night, ratio=1.2)
    assert night.store.scripts.run("change_until", "s", "{}", "{}") == "archived"
    assert night.snapshot() == before


def test_a_record_names_the_rows_of_its_round(night: Night) -> None:
    submit(night)
    end_first_round(night)
    append_round(night.store, "s", 0, choose(night, 2), {"parts": [{"purpose": "narrow"}]})
    (record,) = map(json.loads, night.store.client.lrange(keys.sweep_rounds("s"), 0, -1))
    rows = read_results(night.store, "s")[record["begin"] : record["begin"] + record["count"]]
    assert [row.seed for row in rows] == [2, 2]
    assert record["parts"] == [{"purpose": "narrow"}]
