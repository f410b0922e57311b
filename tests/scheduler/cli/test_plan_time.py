"""`sweep plan` says how long a plan takes at Tinker, as far as that can be known, and nothing of what takes seconds."""

import re
from dataclasses import replace

from scheduler.cli.plan import _describe_time
from scheduler.cli.reuse import ReusableResults
from tests.scheduler.plans import plan, train

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


def test_offline_and_where_all_is_known_there_is_nothing_to_say() -> None:
    assert _describe_time(plan("s", [train("a")]), ReusableResults({}, 0)) == ""
    assert _describe_time(plan("s", LIVE), ReusableResults({stage.id: 1.0 for stage in LIVE}, 0)) == ""
