"""What a server answers is told apart, by real servers: it cannot now, it does not let us, or it is a bug."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from scheduler.errors import StoreUnavailable
from scheduler.state import keys
from scheduler.state.bug_log import read_bugs
from scheduler.state.connection import (
    Away,
    PermissionMissing,
    Refused,
    StoreBug,
    Unable,
    check_server,
    classify_error,
    connect,
)
from scheduler.state.store import Meter, Store
from scheduler.state.submission import submit
from tests import servers
from tests.scheduler.night import Fleet, Night
from tests.scheduler.plans import single, submission
from tests.support import TRUSTED, FakeClock, RedisServer, redis_server
from tests.wording import naming


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("errors")) as server:
        yield server


@pytest.fixture
def store(server: RedisServer) -> Iterator[Store]:
    client = connect(server.url, retries=0)
    client.flushall()
    yield Store(client)
    client.close()


@contextmanager
def configured(store: Store, **options: str) -> Iterator[None]:
    client: Any = store.client
    before = {name: client.config_get(name)[name] for name in options}
    for name, value in options.items():
        client.config_set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            client.config_set(name, value)


def contents(store: Store) -> set[str]:
    return set(store.client.scan_iter())


def put_notice(store: Store) -> None:
    store.client.zadd(keys.NOTICES, {"n": 1})
    store.client.hset(keys.notice("n"), mapping={"address": "A", "tries": 0})


@pytest.mark.parametrize(
    "do",
    [
        lambda store: submit(store, submission(single("s", 1))),
        lambda store: store.scripts.run("mark_notice_sent", "n"),  # its first writes only free memory
        lambda store: store.scripts.run("free_slot", "a/b/c", "x|1"),
        lambda store: store.scripts.run_many("forget_change", [("x", 1), ("y", 1)]),
    ],
)
def test_without_memory_nothing_is_written_and_work_goes_on_when_there_is_some(
    store: Store, do: Callable[[Store], object]
) -> None:
    put_notice(store)
    store.client.zadd(keys.CHANGED, {"x": 1, "y": 1})
    before = contents(store)
    with configured(store, maxmemory="1"):
        with pytest.raises(Unable, match="out of memory"):
            do(store)
        assert contents(store) == before
    do(store)


def test_memory_that_ends_in_the_midst_of_a_verb_leaves_nothing_half_done(store: Store) -> None:
    """The server decides when a script begins: what is behind its first write is let through, the undoing as well."""
    submit(store, submission(single("s", 1)))
    before = contents(store)
    with configured(store, maxmemory="1"), pytest.raises(Unable):
        store.scripts.run("cancel_sweep", "s")
    assert contents(store) == before


def test_a_replica_a_lack_of_replicas_are_waited_for(store: Store) -> None:
    client: Any = store.client
    with configured(store, **{"min-replicas-to-write": "1"}), pytest.raises(Unable):
        submit(store, submission(single("s", 1)))
    client.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(Unable, match="replica"):
            submit(store, submission(single("s", 1)))
        with pytest.raises(Unable, match="replica"):
            store.client.set("x", 1)
    finally:
        client.replicaof("NO", "ONE")
    assert contents(store) == set()


def test_a_server_that_is_busy_with_a_script_is_waited_for(store: Store, server: RedisServer) -> None:
    other: Any = connect(server.url, retries=0)
    with configured(store, **{"lua-time-limit": "5"}):
        thread = threading.Thread(target=_loop, args=(other,))
        thread.start()
        try:
            with pytest.raises(Unable, match="busy"):
                _ask_until_refused(store)
        finally:
            raw: Any = redis.Redis.from_url(server.url)
            while thread.is_alive():
                _kill(raw)
            thread.join()
            raw.close()
            other.close()


def _ask_until_refused(store: Store) -> None:
    for _ in range(2000):
        store.client.get("x")


def _loop(client: Any) -> None:
    with pytest.raises(redis.RedisError):
        client.eval("while true do end", 0)


def _kill(raw: Any) -> None:
    with suppress(redis.RedisError):  # NOTBUSY: it has ended, or has not begun yet
        raw.script_kill()


def test_verbs_that_the_server_has_forgotten_are_taught_it_again(store: Store) -> None:
    client: Any = store.client
    store.scripts.run("take_duty", "a", 1000)
    client.script_flush()
    assert store.scripts.run("take_duty", "a", 1000) == 1
    client.script_flush()
    assert store.scripts.run_many("take_duty", [("a", 1000), ("b", 1000)]) == [1, 0]


def test_a_password_or_a_permission_that_is_missing_is_a_refusal(store: Store, server: RedisServer) -> None:
    client: Any = store.client
    client.acl_setuser("reader", enabled=True, passwords=["+right"], keys=["*"], categories=["+@read", "+@connection"])
    reader = connect(server.url.replace("unix://", "unix://reader:right@"), retries=0)
    assert reader.get("x") is None
    with pytest.raises(Refused):
        reader.set("x", 1)
    with pytest.raises(Refused):
        connect(server.url.replace("unix://", "unix://reader:wrong@"), retries=0).get("x")
    reader.close()
    client.acl_deluser("reader")


@pytest.mark.parametrize("key", servers.here())
def test_a_missing_permission_names_the_command_and_the_rule_that_gives_it(key: str, tmp_path: Path) -> None:
    with redis_server(tmp_path, TRUSTED, servers.installed(key)) as server:
        _ask_without_permissions(server)


def _ask_without_permissions(server: RedisServer) -> None:
    """One user may not run two commands, the other may not touch our keys; inside a verb and outside."""
    admin: Any = server.client()
    rights = {"ada": ("~*", "-info", "-zadd", "-hset"), "bob": ("~other*",)}
    for user, rules in rights.items():
        admin.execute_command("ACL", "SETUSER", user, "on", ">right", "&*", "+@all", *rules)
    urls = {user: server.url.replace("unix://", f"unix://{user}:right@") for user in rights}
    ada, bob = (Store(connect(urls[user], retries=0)) for user in rights)
    with pytest.raises(StoreUnavailable, match=naming("info", "ACL SETUSER", "+info")) as refused:
        check_server(ada.client, urls["ada"])
    assert "PASSWORD" not in str(refused.value)
    ours = f"~{keys.PREFIX}*"
    cases: list[tuple[Callable[[], object], tuple[str, ...]]] = [
        (lambda: ada.client.hset("a", "b", 1), ("`hset`", "+hset")),
        (lambda: ada.scripts.run("mark_changed", "a"), ("mark_changed", "+")),
        (lambda: ada.scripts.run_many("mark_changed", [("a",)]), ("mark_changed", "+")),
        (lambda: bob.client.hset("a", "b", 1), ("HSET", ours)),
        (lambda: bob.scripts.run("mark_changed", "a"), ("mark_changed", ours)),
    ]
    for ask, named in cases:
        with pytest.raises(PermissionMissing, match=naming("ACL SETUSER", *named)):
            ask()
    for store in (ada, bob):
        store.client.close()
    admin.close()


@pytest.mark.parametrize("key", servers.here())
def test_the_user_of_the_documentation_has_enough_rights(key: str, tmp_path: Path) -> None:
    page = (servers.ROOT / "docs/how-to/redis.md").read_text(encoding="utf-8")
    (rules,) = re.findall(r"^ +ACL SETUSER sweep (.*)$", page, re.MULTILINE)
    with redis_server(tmp_path, TRUSTED, servers.installed(key)) as server:
        admin: Any = server.client()
        admin.execute_command("ACL", "SETUSER", "sweep", *rules.replace("PASSWORD", "right").split())
        url = server.url.replace("unix://", "unix://sweep:right@")
        store = Store(connect(url, retries=0))
        check_server(store.client, url)
        night = Night(store, FakeClock())
        night.submit(single("s", 2))
        fleet = Fleet(night, url)
        assert fleet.tick().dispatched == 2
        for lease in fleet.claim_all():
            night.renew(lease)
            assert night.succeed(lease, {"nll": 1.0})
        fleet.tick()
        assert night.sweep_state("s") == "finished"
        assert read_bugs(store) == []
        fleet.nudges.close()
        store.client.close()
        admin.close()


def test_wrong_data_and_wrong_words_are_bugs_which_say_where(store: Store) -> None:
    store.client.set(keys.sweep("s"), "no hash")
    asked: dict[str, Callable[[], object]] = {
        "HGET": lambda: store.client.hget(keys.sweep("s"), "state"),
        "pause_sweep": lambda: store.scripts.run("pause_sweep", "s"),
        "add_stage": lambda: store.scripts.run_many("add_stage", [("s",)]),
    }
    for verb, do in asked.items():
        with pytest.raises(StoreBug) as raised:
            do()
        assert (raised.value.verb, isinstance(raised.value, Away)) == (verb, False)
    pipe = store.client.pipeline()
    pipe.hget(keys.sweep("s"), "a secret")
    with pytest.raises(StoreBug, match="WRONGTYPE") as raised:
        pipe.execute()
    assert "secret" not in str(raised.value)


def test_an_attempt_that_says_more_than_a_number_can_hold_is_told_so(store: Store) -> None:
    with pytest.raises(ValueError, match="2\\^53"):
        store.scripts.run("settle_stage", "s", "f", "failed", *Meter(2**60, 0), "exact", "cause", "")


TEXTS = {
    "MISCONF Errors writing to the AOF file": Unable,
    "VERB settle: @user_script: 1: -MISCONF Redis is configured to save RDB snapshots": Unable,
    "VERB settle: OOM command not allowed": Unable,
    "VERB settle: user_script:12: OOM is a word here": Unable,
    "MASTERDOWN Link with MASTER is down": Unable,
    "TRYAGAIN Multiple keys": Unable,
    "NOAUTH Authentication required.": Refused,
    "WRONGPASS invalid username-password pair": Refused,
    "VERB settle: NOPERM this user has no permissions": PermissionMissing,
    "VERB settle: ERR ACL failure in script: No permissions to access a key": PermissionMissing,
    "VERB settle: ERR The user executing the script can't run this command or subcommand": PermissionMissing,
    "VERB settle: user_script:12: illegal move of train-a": StoreBug,
    "VERB settle: ERR value is not an integer or out of range": StoreBug,
    "unknown command 'ZMSCORE'": StoreBug,
}


@pytest.mark.parametrize("text", TEXTS)
def test_every_kind_of_answer_has_its_meaning(text: str) -> None:
    assert type(classify_error(redis.ResponseError(text), "HGET")) is TEXTS[text]


def test_a_lost_connection_stays_one() -> None:
    for lost in (redis.ConnectionError("gone"), redis.TimeoutError("slow"), redis.BusyLoadingError("LOADING")):
        assert isinstance(classify_error(lost, "HGET"), Away)
