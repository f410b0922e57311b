"""Python and Lua spell the same keys: what a whole night leaves behind is what keys.py names, all of it."""

import ast
import inspect
from pathlib import Path

import scheduler
from scheduler.engine.rate_limit import Rate
from scheduler.engine.retry import SUSPECTED_AFTER
from scheduler.notify.outbox import Outbox
from scheduler.processes.membership import join_fleet
from scheduler.state import keys
from scheduler.state.bug_log import record_bug
from scheduler.state.connection import Refused, StoreBug
from scheduler.state.people.actors import Actor, Scope
from scheduler.state.people.tokens import create_login, create_token
from scheduler.state.people.user_budgets import set_user_budget
from scheduler.state.runs.round_store import append_round, read_held_runs
from scheduler.state.service_facts import record_facts
from scheduler.state.service_series import note_requests, note_slots
from scheduler.state.store import Meter, Renewal
from scheduler.state.workers import report_scheduler
from tests.scheduler.conftest import named
from tests.scheduler.night import LEASE, Fleet, Night, checkpoint
from tests.scheduler.plans import rounds, rounds_spec, scaling, single
from tests.scheduler.seen import LANE
from tests.support import RedisServer


def test_a_night_writes_every_key_that_is_named_and_no_other(night: Night, redis: RedisServer) -> None:
    fleet = Fleet(night, redis.url)
    night.submit(scaling("s", [8]), notify=("HOOK",))
    outbox = Outbox(night.store)
    outbox.set_fleet_addresses(["OPS"])
    night.run_lua("notify_all('breaker_open', 'tinker', 1)")
    night.store.scripts.run("take_duty", "a", 10_000)
    record_bug(night.store, StoreBug("update_sweep", "planted"), "a test", affected="s")
    night.store.scripts.run("take_duty", "w1", 10_000, keys.HOUSEKEEPER.removeprefix(keys.PREFIX))
    night.store.read_fleet_name()
    night.store.scripts.run("set_limits", LANE, 4, "day:offline", 10_000_000)
    note_slots(night.store, "offline", 3, 4, "closed")
    note_requests(night.store, "offline", 60)
    record_facts(night.store, "offline", {"forward": "prefill"})
    fleet.tick()
    base, first, last = fleet.claim_all()
    outbox.mark_failed(outbox.take(1, [])[0], "answers 502", 60)
    night.store.report_progress(first, Meter(1, 1), {"step": 1}, [{"step": 1}])
    for step in range(3):
        night.store.commit_checkpoint(first, Meter(1, 1), {**checkpoint(step), "ttl_days": 7})
    night.store.give_back(last, Meter(1, 1), delay=60, failure="outage", cost="at most", cause="429")
    seen = set(night.snapshot())
    night.store.renew([Renewal(first, 0.0, 0.0, troubled=True)], lease=LEASE)
    seen |= set(night.snapshot())
    night.succeed(first)
    night.succeed(base, {"nll": 1.0})
    night.submit(scaling("paused", [8]), window='{"daily": "22:00-07:30", "tz": "UTC"}')
    night.store.scripts.run("pause_sweep", "paused")
    seen |= set(night.snapshot())
    night.spread()
    night.submit(single("lossy", 1))
    for _ in range(SUSPECTED_AFTER):
        night.start("train-0000", "lossy")
        night.clock.pass_seconds(LEASE)
        night.spread()
    night.tell("cancel_sweep", "lossy")
    night.store.scripts.run("keep_answer", "lossy", "kept")
    night.store.scripts.run("archive_sweep", "lossy", "archived")
    night.store.scripts.run("take_duty", "w1", 10_000, keys.CLEANER.removeprefix(keys.PREFIX))
    night.store.client.hset(keys.CLEANED, "at", 1)
    night.store.client.hset(keys.RESTORED, "at", 1)
    seen |= set(night.snapshot())
    seen |= leave_rounds(night)
    night.store.scripts.run("cancel_sweep", "s")
    night.store.scripts.run("suspect_service", "offline", "planted")
    assert night.store.take_canary("offline", "try", tokens=1, patience=9, pace=1)
    night.store.record_canary_result("offline", "try", "down", "planted", tries=2)
    Rate(night.store.client, "requests|offline", per_second=10).draw()
    record_bug(night.store, Refused("planted"), "a test")
    report_scheduler(night.store.client, "s1")
    join_fleet(night.store, "s1", {"SWEEP_LEASE": "60"}, 5)
    night.store.scripts.run("drain_worker", "w1", 1)
    night.store.scripts.run("check_books", "")
    night.store.scripts.run("take_duty", "w1", 10_000, keys.BOOKKEEPER.removeprefix(keys.PREFIX))
    night.store.scripts.run("watch_alert", "disk", 1, 0, "/: 95 % used")
    night.store.client.set(keys.session("digest"), "{}", ex=60)
    night.store.scripts.run("note_lost_session", "offline", "session", "lost", 0, 0)
    seen |= set(night.snapshot())
    ada = Actor("ada", "a test")
    create_token(night.store, ada, "laptop", scope=Scope.READ, user="ada")
    create_login(night.store, ada)
    set_user_budget(night.store, ada, "ada", {"day": 1})
    seen |= set(night.snapshot())
    ours = {key for key in seen if not key.startswith(keys.BROKER)}
    patterns = named()
    assert all(any(pattern.fullmatch(key) for pattern in patterns.values()) for key in ours)
    unseen = [name for name, pattern in patterns.items() if not any(map(pattern.fullmatch, ours))]
    assert unseen == []
    fleet.nudges.close()


def leave_rounds(night: Night) -> set[str]:
    """Append a round to a sweep with `until`; return the keys that it had before and has then."""
    sizes = (32, 64)
    night.submit(rounds("r", sizes, seeds=2, first=1), spec=rounds_spec("r"))
    for size in sizes:
        night.do(f"train-n{size}s0", "r")
        night.do(f"evaluate-n{size}s0", "r", {"nll": 1.0})
    night.store.scripts.run("take_duty", "s1", 10_000, keys.ROUND_DECIDER.removeprefix(keys.PREFIX))
    due = set(night.snapshot())
    second = [held for held in read_held_runs(night.store, "r") if held.run.seed == 1]
    assert append_round(night.store, "r", 0, second, {"parts": []}) == "appended"
    return due | set(night.snapshot())


def test_every_name_carries_the_prefix() -> None:
    assert all(name.startswith(keys.PREFIX) for name in [*named(), keys.BROKER])


def test_every_name_of_one_thing_says_what_it_holds() -> None:
    functions = inspect.getmembers(keys, inspect.isfunction)
    assert all((function.__doc__ or "").split(":")[0].split(",")[0].split()[0] in KINDS for _, function in functions)


KINDS = {"Hash", "Set", "Zset", "List", "String", "Stream"}


def test_no_other_module_spells_a_key() -> None:
    folder = Path(scheduler.__file__).parent
    for path in [path for path in folder.rglob("*.py") if path.name != "keys.py"]:
        words = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        assert not [word for word in words if isinstance(word, str) and word.startswith(keys.PREFIX)], path.name
