"""Workers of another version take over from drained ones: docs/how-to/upgrade.md.

`make fleet` does the same on four hosts.
"""

import signal
from collections import Counter
from pathlib import Path

from scheduler.state import keys, views
from scheduler.state.workers import read_live_workers
from tests.chaos.fleet import IN_SHORT, Fleet, build_small_spec
from tests.deploy.fleet_of_hosts import make_next_version
from tests.support import wait_until

SLOW = [{"on": "forward_backward", "slow": 0.3}]


@IN_SHORT
def test_what_an_old_worker_runs_it_ends_and_the_rest_is_done_once_by_a_new_one(tmp_path: Path) -> None:
    settings = {"SWEEP_THREADS": "1"}  # so that there is something left for the new one
    with Fleet(tmp_path / "fleet", workers=1, settings=settings).up() as fleet, fleet.store() as store:
        with fleet.tinker.control() as control:
            control.set(rules=SLOW)
        fleet.submit(build_small_spec("s"))
        wait_until(lambda: store.client.zcard(keys.state("running")) == 1, "the old one to run a stage", seconds=60)
        (old,) = read_live_workers(store)
        store.scripts.run("drain_worker", old, 1)
        leaving, scheduler = fleet.children.pop("worker-1"), fleet.children.pop("scheduler")
        scheduler.send(signal.SIGTERM)
        scheduler.ended(30)
        wait_until(lambda: not store.client.zrange(keys.MEMBERS, 0, -1), "no member of the old version")
        code = make_next_version(tmp_path)
        fleet.run_worker("worker-2", code)
        fleet.run_scheduler(code)
        fleet.await_finish("s", seconds=90)
        (new,) = {*read_live_workers(store)} - {old}
        stages = views.read_stages(store, "s")
        assert {stage.state for stage in stages} == {"succeeded"}
        once = dict.fromkeys((stage.id for stage in stages), 1)
        for state in ("running", "succeeded"):
            assert Counter(event["stage"] for event in fleet.events() if event.get("to") == state) == once, state
        assert {event["worker"] for event in fleet.events() if event.get("to") == "succeeded"} == {old, new}
        leaving.send(signal.SIGTERM)
        leaving.ended(30)
        assert leaving.process is not None
        assert leaving.process.returncode == 0
