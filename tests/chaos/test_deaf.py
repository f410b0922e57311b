"""A worker whose consumer receives nothing more exits, and its successor does the work."""

from pathlib import Path

from celery import Celery

from scheduler.engine.dispatch import QUEUE, TRANSPORT, count_waiting
from scheduler.state.connection import make_broker_settings
from tests.chaos.fleet import IN_SHORT, Fleet, build_small_spec
from tests.support import wait_until


@IN_SHORT
def test_a_worker_that_has_stopped_consuming_ends_and_says_why(tmp_path: Path) -> None:
    with Fleet(tmp_path / "fleet", workers=1, settings={"SWEEP_DEAF": "2"}).up() as fleet:
        worker = fleet.children["worker-1"]
        wait_until(lambda: "ready." in worker.said(), "the worker to be up", seconds=30)
        _deafen(fleet)
        fleet.submit(build_small_spec("deaf"))
        with fleet.client() as client:
            wait_until(lambda: count_waiting(client) > 0, "messages to wait for it", seconds=30)
        assert worker.ended(30) > 0
        assert worker.process is not None
        assert worker.process.returncode == 1
        last = worker.said().rstrip().splitlines()[-1]
        assert "ERROR" in last
        assert " 2 s " in last
        worker.start()
        fleet.await_finish("deaf", seconds=60)


def _deafen(fleet: Fleet) -> None:
    """What a broken connection can do to a consumer, done through Celery's own remote control."""
    app = Celery(set_as_current=False)
    app.conf.update(**make_broker_settings(fleet.redis.url, TRANSPORT))
    (answer,) = app.control.cancel_consumer(QUEUE, reply=True, timeout=10, limit=1)
    assert list(answer.values()) == [{"ok": f"no longer consuming from {QUEUE}"}]
    app.close()
