"""What a server answers is told apart, by real servers: it cannot now, it does not let us, or it is a bug."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import redis

from scheduler.state import keys
from scheduler.state.connection import Away, Refused, StoreBug, Unable, classify_error, connect
from scheduler.state.store import Meter, Store
from scheduler.state.submission import submit
from tests.scheduler.plans import single, submission
from tests.support import RedisServer, redis_server


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
    "VERB settle: NOPERM this user has no permissions": Refused,
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
