"""The scheduler as a process: it leads, it works, and it leaves at once and politely."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from scheduler.notify.webhooks import DEADLINE
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.connection import connect
from scheduler.state.server.embedded_redis import open_server
from scheduler.state.states import StageState
from scheduler.state.store import Meter, Store
from scheduler.state.submission import submit
from tests.scheduler.plans import single, submission
from tests.scheduler.receiver import TOKEN, keeps_silent, receiver, says
from tests.support import wait_until


def test_it_spreads_and_dispatches_what_was_submitted_and_gives_up_its_lead(tmp_path: Path) -> None:
    environment = {**os.environ, "SWEEP_HOME": str(tmp_path / "home"), "SWEEP_DAY_BUDGET": "12.5"}
    with open_server(read_settings(environment)) as url:
        store = Store(connect(url))
        submit(store, submission(single("s", 3)))
        store.report_worker("w", threads=2, busy=0, ttl=600)
        process = subprocess.Popen([sys.executable, "-m", "scheduler"], env=environment, stderr=subprocess.PIPE)
        wait_until(lambda: store.client.zcard(keys.state("dispatched")) == 2, "both threads to have work")
        assert store.client.exists(keys.LEADER)
        days = {name: value for name, value in store.client.hgetall(keys.LIMITS).items() if name.startswith("day:")}
        assert days == {"day:offline": "12500000", "day:tinker": "12500000"}
        process.send_signal(signal.SIGTERM)
        _, printed = process.communicate(timeout=20)
        assert (process.returncode, b"Traceback" in printed) == (0, False)
        assert not store.client.exists(keys.LEADER)
        store.client.close()


def test_an_address_that_hangs_keeps_it_neither_from_its_work_nor_from_leaving(tmp_path: Path) -> None:
    with receiver(keeps_silent) as slow, receiver(says(200)) as quick:
        addresses = {"SLOW": slow.url, "QUICK": quick.url, "SWEEP_NOTIFY": "env:OPS"}
        environment = {**os.environ, **addresses, "SWEEP_HOME": str(tmp_path / "home")}
        with open_server(read_settings(environment)) as url:
            store = Store(connect(url))
            submit(store, submission(single("s", 2), notify=("SLOW", "QUICK")))
            store.report_worker("w", threads=1, busy=0, ttl=600)
            process = subprocess.Popen([sys.executable, "-m", "scheduler"], env=environment, stderr=subprocess.PIPE)
            wait_until(lambda: store.client.zcard(keys.state("dispatched")) == 1, "a stage to be dispatched")
            (stage,) = store.client.zrange(keys.state("dispatched"), 0, -1)
            lease = store.claim(stage, attempt=1, worker="w", lease=600)
            wait_until(lambda: len(slow.requests) == len(quick.requests) == 1, "both to be told that it started")
            assert store.client.smembers(keys.FLEET_ADDRESSES) == {"OPS"}
            assert lease is not None
            store.settle(lease, Meter(0, 0), StageState.SUCCEEDED, cost="exact", result="{}")
            wait_until(lambda: store.client.zcard(keys.state("dispatched")) == 1, "the next one, meanwhile")
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, printed = process.communicate(timeout=20)
            assert time.monotonic() - began < DEADLINE / 2
            assert (process.returncode, b"Traceback" in printed, TOKEN.encode() in printed) == (0, False, False)
            assert store.client.zcard(keys.NOTICES) == 1, "what was under way is somebody else's to send"
            store.client.close()


def test_without_a_redis_it_says_so_and_ends() -> None:
    environment = {**os.environ, "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"}
    ended = subprocess.run(
        [sys.executable, "-m", "scheduler"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: no Redis answers at redis://127.0.0.1:1/0")
    assert "hunter2" not in ended.stderr
    assert "Traceback" not in ended.stderr
