"""`sweep plan` says how long a plan takes at Tinker, as far as that can be known, and nothing of what takes seconds."""

from dataclasses import replace

from scheduler.cli.plan import _hours
from scheduler.cli.reuse import Known
from tests.scheduler.plans import plan, train

LIVE = [replace(train(str(n)), steps=359, recipe={"model": "Qwen/Qwen3-8B", "name": str(n)}) for n in range(24)]


def test_the_time_is_that_of_the_slots_that_were_found_and_never_less_than_the_longest_chain() -> None:
    asked = plan("s", LIVE)
    assert _hours(asked, Known({}, 0)).startswith(
        "time: 2 h 00 min at least, with 12 slots (if the account has as many)"
    )
    assert _hours(asked, Known({}, 0, slots=6)).startswith("time: 4 h 00 min at least, with 6 slots (found so far)")
    assert _hours(asked, Known({}, 0, slots=500)).startswith("time: 60 min at least")
    done = {stage.id: 1.0 for stage in LIVE[:12]}
    assert _hours(asked, Known(done, 0, slots=6)).startswith("time: 2 h 00 min at least")


def test_offline_and_where_all_is_known_there_is_nothing_to_say() -> None:
    assert _hours(plan("s", [train("a")]), Known({}, 0)) == ""
    assert _hours(plan("s", LIVE), Known({stage.id: 1.0 for stage in LIVE}, 0)) == ""
