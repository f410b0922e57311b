"""A verb writes all that it has to or nothing, wherever it falls; and what no other test does is done here."""

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from scheduler.engine.retry import BUDGETS, SUSPECTED_AFTER, Fault
from scheduler.state import keys
from scheduler.state.connection import Client, StoreBug
from scheduler.state.reconciliation import Reconciliation
from scheduler.state.scripts import load_verbs
from scheduler.state.store import Meter
from scheduler.state.submission import submit
from sweeps.cost import Usage
from tests import servers
from tests.scheduler.night import LEASE, Night, checkpoint
from tests.scheduler.plans import single, submission
from tests.scheduler.seen import LANE

ROOT = Path(__file__).resolve().parents[3]
# Their tests do every verb in every way in which it writes; where one is new, a test of it belongs here or there.
FILES = [
    *(f"state/test_{name}" for name in ("money", "unreconciled", "checkpoints", "children", "service_facts", "keys")),
    "state/test_books",
    "state/test_rounds",
    "state/test_tokens",
    "state/test_user_budgets",
    "state/test_all_or_nothing",
    *("notify/test_notices", "engine/test_breaker", "engine/test_windows", "engine/test_retry"),
    *("processes/test_membership", "keeping/test_keeping_verbs", "notify/test_alerts"),
]
READERS = {"ask_need", "read_due", "read_state", "read_token", "read_unreconciled"}  # verbs that write nothing


def test_every_verb_wherever_it_falls_has_written_nothing(tmp_path: Path) -> None:
    report = tmp_path / "injected.json"
    tests = [f"tests/scheduler/{name}.py" for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.scheduler.injection", "-k", "not wherever_it_falls"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "INJECTED": str(report), "SERVER": servers.chosen()}
    done = subprocess.run([*command, *tests], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    seen = json.loads(report.read_text())
    expected = {*seen["sites"]} - {f"{verb}:anywhere" for verb in READERS}
    assert sorted(expected - {*seen["tried"]}) == [], "no test had a verb write at these places"


def test_whoever_goes_round_the_way_to_write_is_stopped(night: Night) -> None:
    with pytest.raises(StoreBug, match=r"`a_test`: .*'redis'"):
        night.run_lua("redis.call('SET', PREFIX .. 'fence', 1)")
    for path in (files("scheduler.state") / "lua").iterdir():
        text = re.sub(r"--.*", "", path.read_text())
        assert "redis.call" not in text or path.name == "_prelude_write.lua", path.name


def test_what_is_read_is_only_read(client: Client) -> None:
    """`read` notes nothing that could be taken back."""
    text = "\n".join(load_verbs().values())
    commands = sorted(set(re.findall(r"\bread\('([A-Z]+)'", text)))
    commands_known: Any = getattr(client, "execute_command")("COMMAND", "INFO", *commands)  # noqa: B009 - of no other use to us
    flags = {name: {str(flag) for flag in command["flags"]} for name, command in commands_known.items()}
    assert len(flags) == len(commands) > 15
    assert [name for name, command_flags in flags.items() if "write" in command_flags] == []


def test_a_write_that_nothing_takes_back_is_refused_before_it_is_made(night: Night) -> None:
    with pytest.raises(StoreBug, match="`a_test`"):
        night.run_lua("write('HSET', PREFIX .. 'notified', 'a', 1); write('RENAME', PREFIX .. 'notified', 'elsewhere')")
    assert night.snapshot() == {}


@pytest.mark.parametrize(
    "body",
    [
        "write('DEL', PREFIX .. 'h')",
        "write('ZREM', PREFIX .. 'z', 'm', 'n')",
        "write('INCR', PREFIX .. 'n')",
        "write('LTRIM', PREFIX .. 'l', -1, -1)",
        "write('LPOP', PREFIX .. 'l')",
        "write('RPOP', PREFIX .. 'l')",
        "write('RPUSH', PREFIX .. 'l', 'c')",
        "write('LREM', PREFIX .. 'l', 1, 'a')",
        "write('SET', PREFIX .. 'n', 1)",
        "write('HSETNX', PREFIX .. 'h', 'new', 1)",
    ],
)
def test_each_kind_of_write_is_taken_back_by_itself(night: Night, client: Client, body: str) -> None:
    """Alone, so that no other write's note brings back what its own should."""
    some: Any = client
    some.zadd("tinker-sweeps:z", {"m": 0.1, "n": -3})
    some.set("tinker-sweeps:n", 7)
    some.rpush("tinker-sweeps:l", "a", "b", "a")
    some.hset("tinker-sweeps:h", "old", 1)
    before = night.snapshot()
    with pytest.raises(StoreBug, match="at the end"):
        night.run_lua(f"{body} error('at the end')")
    after = night.snapshot()
    client.delete("tinker-sweeps:z", "tinker-sweeps:n", "tinker-sweeps:l", "tinker-sweeps:h")
    assert after == before


@pytest.mark.parametrize("command", ["SADD", "SREM"])
def test_a_write_of_which_only_a_part_would_be_taken_back_is_refused(night: Night, command: str) -> None:
    night.store.client.sadd("tinker-sweeps:set", "a", "b")
    before = night.snapshot()
    with pytest.raises(StoreBug, match="one member"):
        night.run_lua(f"write('{command}', PREFIX .. 'set', 'a', 'b', 'c')")
    assert night.snapshot() == before
    night.store.client.delete("tinker-sweeps:set")


def test_the_deletion_of_a_zset_is_refused_because_nothing_takes_it_back(night: Night) -> None:
    night.store.client.zadd("tinker-sweeps:z", {"m": 0.1, "n": -3})
    before = night.snapshot()
    with pytest.raises(StoreBug, match="zset"):
        night.run_lua("write('HSET', PREFIX .. 'h', 'a', 1) write('DEL', PREFIX .. 'z')")
    assert night.snapshot() == before
    night.store.client.delete("tinker-sweeps:z")


def test_a_failure_behind_all_kinds_of_writes_leaves_every_key_as_it_was(night: Night, client: Client) -> None:
    """Also a list with the same text twice, an expiry, a score that is no whole number, a field that was empty."""
    some: Any = client
    some.rpush("tinker-sweeps:l", "a", "b", "a")
    some.set("tinker-sweeps:s", "x", px=1_000_000)
    some.zadd("tinker-sweeps:z", {"m": 0.1, "n": -3})
    some.hset("tinker-sweeps:h", mapping={"empty": "", "n": "7", "float": "0.1"})
    some.sadd("tinker-sweeps:set", "m")
    before = night.snapshot()
    body = """
    local function key(name) return PREFIX .. name end
    write('LREM', key('l'), 1, 'a') write('LPOP', key('l')) write('RPUSH', key('l'), 'c')
    write('LTRIM', key('l'), -1, -1)
    write('SET', key('s'), 'y') write('DEL', key('s')) write('INCR', key('s'))
    write('ZADD', key('z'), 5, 'm', 6, 'new') write('ZREMRANGEBYSCORE', key('z'), '-inf', 5)
    write('ZREM', key('z'), 'new')
    write('HSET', key('h'), 'empty', 'full', 'new', 1) write('HDEL', key('h'), 'empty', 'n', 'none')
    add(key('h'), 'n', 3, 'fresh', -4) write('HSETNX', key('h'), 'n', 1)
    write('SADD', key('set'), 'n') write('SREM', key('set'), 'm')
    write('SREM', key('set'), 'n') write('DEL', key('set'))
    write('ZADD', key('t'), 1, 'x') write('PEXPIRE', key('t'), 1000)
    error('at the end')
    """
    with pytest.raises(StoreBug, match="at the end"):
        night.run_lua(body)
    assert night.snapshot() == before
    assert some.pttl("tinker-sweeps:s") > 900_000
    client.delete(*before)


# What no other test of these files does.


def test_a_price_that_is_found_later_is_kept(night: Night) -> None:
    submit(night.store, submission(single("s", 1)))
    night.store.client.hset(keys.stage("train-0000"), "rates", "")
    submit(night.store, submission(single("t", 1)))
    assert night.store.client.hget(keys.stage("train-0000"), "rates")


def test_an_unreconciled_attempt_is_ended_postponed_and_reconciled(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start("train-0000", "s")
    night.store.commit_checkpoint(lease, Meter(5, 5), {**checkpoint(1), "ttl_days": 7})
    night.store.give_back(lease, Meter(5, 5), delay=0, failure="", cost="unknown", cause="")
    reconciliation = Reconciliation(night.store)
    (attempt,) = reconciliation.read_unreconciled(9)
    reconciliation.postpone(keys.UNRECONCILED, attempt.name, 60)
    assert reconciliation.read_unreconciled(9) == []
    assert (
        reconciliation.record_session_end(attempt, began=None, lag=0, sessions=["a"], paths=["left", "run/step-1"]) == 1
    )
    assert reconciliation.reconcile(reconciliation.read_unreconciled(9)[0], Usage(training=7))
    night.store.scripts.run("cancel_sweep", "s")
    night.spread()
    night.clock.pass_seconds(7 * 86_400)
    assert reconciliation.read_needed(9) == []


def test_a_cost_that_the_service_never_tells_is_abandoned(night: Night) -> None:
    night.submit(single("s", 1))
    night.store.give_back(night.start("train-0000", "s"), Meter(5, 5), delay=0, failure="", cost="unknown", cause="")
    reconciliation = Reconciliation(night.store)
    (attempt,) = reconciliation.read_unreconciled(9)
    assert (reconciliation.abandon(attempt), reconciliation.abandon(attempt)) == (True, False)
    assert reconciliation.read_unreconciled(9) == []


def test_small_things_are_written_too(night: Night) -> None:
    night.submit(single("s", 1))
    run = night.store.scripts.run
    assert run("set_priority", "s", 5) == "0"
    assert run("mark_changed", "train-0000") == 1
    assert run("record_billed", "s", "offline", 3, 4) == 1
    assert (run("take_duty", "a", 1000), run("take_duty", "a", 0), run("take_duty", "b", 1000)) == (1, 0, 1)
    run("note_slots", "offline", 3, 4, "c")
    run("note_requests", "offline", 60)
    run("set_limits", LANE, 4)
    run("set_limits")
    assert night.store.client.hget(keys.LIMITS, LANE) is None
    assert night.store.log_event(night.start("train-0000", "s"), "a line")
    assert run("open_sweep", "half", "digest", "spec", "{}") == "opened"
    assert run("retry_sweep", "half") == "opening"


def test_a_stage_is_failed_for_a_bug(night: Night) -> None:
    night.submit(single("s", 1))
    night.start("train-0000", "s")
    assert night.store.scripts.run("fail_stage", "train-0000", "a bug", "") == 1


def test_a_service_that_is_found_down_once_is_tried_again(night: Night) -> None:
    night.submit(single("s", 1))
    night.start("train-0000", "s")
    night.store.scripts.run("suspect_service", "offline", "silence")
    assert night.store.take_canary("offline", "try", tokens=1, patience=9, pace=1)
    assert night.store.record_canary_result("offline", "try", "down", "silence", tries=2) == "suspect"


def test_of_two_that_are_lost_again_and_again_the_one_that_is_lost_alone_fails(night: Night) -> None:
    night.submit(single("s", 2))
    for _ in range(SUSPECTED_AFTER):
        night.start("train-0000", "s"), night.start("train-0001", "s")
        night.clock.pass_seconds(LEASE)
        night.spread()
    lease = night.start("train-0001", "s")
    for _ in range(4):
        night.clock.pass_seconds(LEASE / 2)
        night.renew(lease)
    for _ in range(BUDGETS[Fault.LOST] - SUSPECTED_AFTER):
        night.start("train-0000", "s")
        night.clock.pass_seconds(LEASE)
        night.spread()
    assert night.state("train-0000") == "failed"
