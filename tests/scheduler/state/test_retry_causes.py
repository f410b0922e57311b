"""`sweep status` names why stages wait before their next try, and how many for each cause."""

from scheduler.cli.status import make_status_document
from scheduler.settings import read_settings
from scheduler.state.store import Meter
from scheduler.state.views import read_sweep
from scheduler.waiting_reasons import describe_retries
from tests.scheduler.night import Night
from tests.scheduler.plans import single

LIMITED = "the service said 429: too many requests, try again in {} s"
AWAY = "no answer from the service"


def test_causes_are_counted_and_those_that_differ_in_numbers_are_one(night: Night) -> None:
    night.submit(single("s", 5))
    for number in range(5):
        cause = LIMITED.format(number) if number < 3 else AWAY
        lease = night.start(f"train-000{number}", "s")
        night.store.give_back(lease, Meter(0, 0), delay=60 + number, failure="outage", cost="exact", cause=cause)
    night.spread()
    view = read_sweep(night.store, "s")
    counts = [count for _, count in view.retries]
    assert (counts, view.retries[1][0], "429" in view.retries[0][0]) == ([3, 2], AWAY, True)
    assert "429" in describe_retries(view)
    night.store.report_worker("w", threads=9, busy=0, ttl=60)
    (row,) = make_status_document(night.store, read_settings({}), [view], "s")["sweeps"]
    assert row["gate"] == "retry"
    assert [retry["stages"] for retry in row["retries"]] == [3, 2]
    night.clock.pass_seconds(100)
    night.spread()
    again = read_sweep(night.store, "s")
    assert (again.retries, describe_retries(again)) == ((), "")
