"""`sweep plan` says how long a plan takes, as far as that can be known."""

import re
from dataclasses import replace

from scheduler.cli.plan import _describe_time, _make_time_document
from scheduler.cli.reuse import EarlierPace, ReusableResults, measure_pace
from scheduler.services import make_lane
from scheduler.state import views
from tests.scheduler.night import Night
from tests.scheduler.plans import MODEL, plan, train

LIVE = [replace(train(str(n)), steps=359, recipe={"model": "Qwen/Qwen3-8B", "name": str(n)}) for n in range(24)]


def test_the_time_is_that_of_the_slots_that_were_found_and_never_less_than_the_longest_chain() -> None:
    asked = plan("s", LIVE)
    assert _times(_describe_time(asked, ReusableResults({}, 0))) == ["2 h 00 min", "12 slots", "60 min"]
    assert _times(_describe_time(asked, ReusableResults({}, 0, slots=6))) == ["4 h 00 min", "6 slots", "60 min"]
    assert _times(_describe_time(asked, ReusableResults({}, 0, slots=500))) == ["60 min", "500 slots", "60 min"]
    done = {stage.id: 1.0 for stage in LIVE[:12]}
    assert _times(_describe_time(asked, ReusableResults(done, 0, slots=6))) == ["2 h 00 min", "6 slots", "60 min"]


def _times(line: str) -> list[str]:
    return re.findall(r"\d+ h \d+ min|\d+ min|\d+ slots", line)


def test_where_all_is_known_there_is_nothing_to_say() -> None:
    assert _describe_time(plan("s", [train("a")]), ReusableResults({"train-a": 1.0}, 0)) == ""
    assert _describe_time(plan("s", LIVE), ReusableResults({stage.id: 1.0 for stage in LIVE}, 0)) == ""


def test_offline_it_is_that_of_earlier_sweeps_for_the_stages_without_a_result() -> None:
    stages = [train("a", cost=6_000), train("b", cost=8_000, low=4_000)]
    asked, pace = plan("s", stages), EarlierPace(sweeps=2, tokens=5_000, seconds=50.0)
    known = ReusableResults({}, 0, pace=pace)
    assert _make_time_document(asked, known) == {"live_seconds": None, "offline_seconds": 120.0, "earlier_sweeps": 2}
    assert _times(_describe_time(asked, known)) == ["2 min"]
    left = ReusableResults({"train-b": 1.0}, 0, pace=pace)
    assert _make_time_document(asked, left)["offline_seconds"] == 60.0
    nothing = ReusableResults({}, 0)
    assert _make_time_document(asked, nothing)["offline_seconds"] is None
    assert _describe_time(asked, nothing)
    assert _times(_describe_time(asked, nothing)) == []


def test_the_pace_is_that_of_finished_sweeps_with_the_same_models(night: Night) -> None:
    """From the submission to the last end; a sweep that still runs says nothing."""
    lanes = [make_lane(MODEL)]
    night.submit(plan("s", [train("u"), train("v")]))
    night.clock.pass_seconds(20)
    night.do("train-u", "s")
    night.spread()
    assert measure_pace(night.store, lanes) == EarlierPace()
    night.clock.pass_seconds(40)
    night.do("train-v", "s")
    night.spread()
    assert night.sweep_state("s") == "finished"
    tokens = views.read_sweep(night.store, "s").tokens
    assert measure_pace(night.store, lanes) == EarlierPace(1, tokens, 60.0)
    assert measure_pace(night.store, [make_lane("offline/chat-s")]) == EarlierPace()
    night.submit(plan("at once", [train("u")]))
    assert measure_pace(night.store, lanes).sweeps == 1
