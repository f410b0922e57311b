"""One of the processes of the benchmark of transitions: `python -m benchmarks.queue_client verbs|raw URL`.

Reads its share from its input, says that it is ready, and works when it is told to go.
"""

import json
import sys

from redis import Redis

from scheduler.state.connection import connect
from scheduler.state.states import StageState
from scheduler.state.store import Meter, Store
from tests.scheduler.plans import COST

RESULT = json.dumps({"metrics": {"nll": 1.0}})


def do_stages(url: str, nudges: list[tuple[str, int]]) -> None:
    """Claim, report and settle each."""
    store = Store(connect(url))
    _await_start()
    for stage, attempt in nudges:
        lease = store.claim(stage, attempt=attempt, worker="w", lease=60)
        assert lease is not None
        store.report_progress(lease, Meter(COST // 2, COST // 2), {"step": 5, "nll": 1.0})
        assert store.settle(lease, Meter(COST, COST), StageState.SUCCEEDED, cost="exact", result=RESULT, cause="")


def make_round_trips(url: str, times: int) -> None:
    """Write a kilobyte, so often."""
    client = Redis.from_url(url)
    client.ping()
    _await_start()
    for number in range(times):
        client.set(f"k{number % 1000}", b"x" * 1024)


def _await_start() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    assert sys.stdin.readline() == "go\n"


if __name__ == "__main__":
    kind, url = sys.argv[1:]
    share = json.loads(sys.stdin.readline())
    if kind == "verbs":
        do_stages(url, share)
    else:
        make_round_trips(url, share)
