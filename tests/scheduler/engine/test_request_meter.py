"""How many requests a minute the fleet sends is what its workers have sent between two looks."""

from scheduler.engine.request_meter import SENT, RequestMeter


def report(**sent: int) -> dict[str, str]:
    return {SENT + service: str(count) for service, count in sent.items()}


def test_it_measures_between_two_looks_and_counts_nothing_twice() -> None:
    meter = RequestMeter()
    assert meter.measure({"old": report(offline=900)}, 0.0) == {}, "nobody knows when these were sent"
    assert meter.measure({"old": report(offline=930), "new": report(offline=10, tinker=4)}, 30.0) == {
        "offline": 80,
        "tinker": 8,
    }
    assert meter.measure({"new": report(offline=10, tinker=4)}, 60.0) == {}
    assert meter.measure({"old": report(offline=960), "new": report(offline=10)}, 120.0) == {"offline": 30}, (
        "was silent"
    )


def test_a_worker_without_counts_sent_nothing() -> None:
    meter = RequestMeter()
    meter.measure({}, 0.0)
    assert meter.measure({"older": {"threads": "4"}}, 60.0) == {}
