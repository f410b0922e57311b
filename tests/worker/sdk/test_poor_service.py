"""A call that the service lacks is asked for once and reported, and everything else works without it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.cli.service_facts_text import describe_facts
from scheduler.errors import ServiceRefused
from scheduler.service_check import list_served_models
from scheduler.state import keys
from scheduler.state.service_facts import (
    ASKED_AGAIN_AFTER,
    LACKED,
    read_facts,
    read_known_accounts,
    record_facts,
    record_lack,
)
from sweeps.stage import Stage
from tests.tinker_offline.process import KEY, Server
from tests.worker.dead_attempts import kill_training, make_housekeeping, read_ledger
from tests.worker.odd_service import NO_ROUTE, Odd
from tests.worker.workshop import Workshop
from worker.maintenance.housekeeping import Housekeeping
from worker.maintenance.probes import Probes
from worker.outcome import Succeeded
from worker.sdk.endpoints import Endpoint
from worker.sdk.health import has_checkpoint, is_responding

REQUESTS = {
    "search": "POST sessions/search",
    "finish": "POST sessions/*/finish",
    "ttl": "PUT */ttl",
    "delete": "DELETE *",
    "checkpoints": "GET sessions/*",
    "usage": "GET billing/*",
}
ANSWERS = {"route": NO_ROUTE, "method": (405, {"detail": "Method Not Allowed"}), "none": (501, "Not Implemented")}


def make_due(workshop: Workshop) -> None:
    """Whatever was put off is looked at again."""
    for key in (keys.UNRECONCILED, keys.DISCARDED, keys.EXPIRING):
        for name in workshop.store.client.zrange(key, 0, -1):
            workshop.store.client.zadd(key, {name: 0})


def rounds(workshop: Workshop, keeper: Housekeeping, count: int) -> None:
    for _ in range(count):
        make_due(workshop)
        keeper.round()


@pytest.fixture
def left(among_odds: Workshop, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage whose worker died, with an open session, a checkpoint that is needed, and one that is not."""
    stage = kill_training(among_odds, monkeypatch)
    client = among_odds.store.client
    client.zadd(keys.EXPIRING, {stage.id: 0})
    client.zadd(keys.DISCARDED, {f"offline/ngram-s|{_saved(among_odds, stage, 0)}": 0})
    return stage


def _saved(workshop: Workshop, stage: Stage, at: int) -> str:
    pipe = workshop.store.client.pipeline()
    pipe.lrange(keys.checkpoints(stage.id), at, at)
    return str(json.loads(pipe.execute()[0][0])["path"])


LACKS = [
    *(("search", answer) for answer in ANSWERS),
    ("finish", "method"),
    ("ttl", "route"),
    ("delete", "method"),
    ("checkpoints", "route"),
    ("usage", "none"),
]


@pytest.mark.parametrize("lack", LACKS, ids=" ".join)
def test_what_it_lacks_is_asked_for_once_and_said_once(
    among_odds: Workshop, odd: Odd, left: Stage, caplog: pytest.LogCaptureFixture, lack: tuple[str, str]
) -> None:
    call, answer = lack
    odd.lack(REQUESTS[call], answer=ANSWERS[answer])
    odd.asked.clear()
    rounds(among_odds, make_housekeeping(among_odds), 3)
    assert odd.count(REQUESTS[call]) == 1
    assert [lack.call for lack in read_facts(among_odds.store, "offline").lacks] == [call]
    assert caplog.text.count(LACKED[call]) == 1
    assert among_odds.state(left) == "ready"


@pytest.mark.parametrize("answer", [(200, {"error": "no"}), (400, {"error": "bad"})])
@pytest.mark.usefixtures("left")
def test_what_it_refuses_is_not_asked_and_told_each_round(
    among_odds: Workshop, odd: Odd, caplog: pytest.LogCaptureFixture, answer: tuple[int, object]
) -> None:
    odd.lack(REQUESTS["search"], answer=answer)
    odd.asked.clear()
    keeper = make_housekeeping(among_odds)
    for _ in range(3):
        keeper.round()
    assert odd.count(REQUESTS["search"]) == 1
    assert len([message for message in caplog.messages if "offline/ngram-s" in message]) == 1


@pytest.mark.usefixtures("left")
def test_what_a_proxy_answered_is_asked_again_in_the_next_round_and_told_once(
    among_odds: Workshop, odd: Odd, caplog: pytest.LogCaptureFixture
) -> None:
    odd.lack(REQUESTS["search"], answer=(200, "<html>log in</html>"))
    odd.asked.clear()
    keeper = make_housekeeping(among_odds)
    for _ in range(3):
        keeper.round()
    assert odd.count(REQUESTS["search"]) == 3
    assert len([message for message in caplog.messages if "offline/ngram-s" in message]) == 1


def test_a_service_that_lacks_everything_trains_and_nothing_is_booked_below_what_was_feared(
    among_odds: Workshop, odd: Odd, left: Stage
) -> None:
    booked = read_ledger(among_odds)
    odd.lack(*REQUESTS.values(), "GET get_server_capabilities", "POST weights_info")
    rounds(among_odds, make_housekeeping(among_odds), 4)
    assert read_ledger(among_odds) == booked
    assert isinstance(among_odds.attempt(left), Succeeded)
    assert read_ledger(among_odds)["unreconciled"] == booked["unreconciled"] > 0


def test_without_a_search_what_an_attempt_used_is_found_by_its_name_in_the_bills(
    among_odds: Workshop, odd: Odd, left: Stage
) -> None:
    odd.lack(REQUESTS["search"])
    rounds(among_odds, make_housekeeping(among_odds), 3)
    assert read_ledger(among_odds)["unreconciled"] == 0
    assert isinstance(among_odds.attempt(left), Succeeded)


def test_a_cost_that_nobody_can_reconcile_stays_booked_as_reserved(
    among_odds: Workshop,
    odd: Odd,
    left: Stage,  # noqa: ARG001 - it leaves its cost open
) -> None:
    """After two weeks: until then a key that may read the bills, or a service that has learnt to, resolves it."""
    client, booked = among_odds.store.client, read_ledger(among_odds)
    odd.lack(REQUESTS["usage"])
    rounds(among_odds, make_housekeeping(among_odds), 3)
    (name,) = client.zrange(keys.UNRECONCILED, 0, -1)
    long_ago = datetime.now(UTC) - timedelta(days=15)
    client.hset(keys.unreconciled(name), "over", round(long_ago.timestamp() * 1000))
    rounds(among_odds, make_housekeeping(among_odds), 1)
    assert client.zcard(keys.UNRECONCILED) == 0
    assert not client.hgetall(keys.unreconciled(name))
    assert read_ledger(among_odds) == booked


def test_what_a_service_has_learnt_is_used_again(among_odds: Workshop, odd: Odd, left: Stage) -> None:  # noqa: ARG001
    odd.lack(REQUESTS["search"], REQUESTS["ttl"])
    rounds(among_odds, make_housekeeping(among_odds), 2)
    odd.forget()
    rounds(among_odds, make_housekeeping(among_odds), 1)
    assert not odd.count(REQUESTS["ttl"]), "it is not asked again at once, not by another process either"
    client = among_odds.store.client
    before = round((datetime.now(UTC) - 2 * ASKED_AGAIN_AFTER).timestamp() * 1000)
    for call in ("search", "ttl"):
        client.hset(keys.account("offline"), f"lacks:{call}_at", before)
    rounds(among_odds, make_housekeeping(among_odds), 1)
    assert odd.count(REQUESTS["ttl"])
    assert "ttl" not in {lack.call for lack in read_facts(among_odds.store, "offline").lacks}


def test_a_thing_that_is_not_there_is_no_call_that_is_not_there(
    among_odds: Workshop,
    odd: Odd,
    left: Stage,  # noqa: ARG001 - it leaves something to do
) -> None:
    odd.refuse(REQUESTS["ttl"], 404, {"error": "there is no checkpoint of that name"})
    odd.refuse(REQUESTS["delete"], 404, {"error": "there is no checkpoint of that name"})
    rounds(among_odds, make_housekeeping(among_odds), 2)
    assert read_facts(among_odds.store, "offline").lacks == ()
    assert among_odds.store.client.zcard(keys.DISCARDED) == 0


@pytest.mark.parametrize(
    "lacking", [[], ["search"], ["ttl", "usage"], ["search", "ttl", "delete", "checkpoints", "usage"]]
)
def test_probes_find_what_is_lacking_without_spending(
    strange: tuple[Server, Odd], odd: Odd, lacking: list[str]
) -> None:
    odd.lack(*(REQUESTS[call] for call in lacking))
    answer = Probes(Endpoint(strange[0].url, KEY), "offline/ngram-s", patience=20).probe_calls()
    assert answer.answer == (" ".join(f"{call}=404" for call in lacking) or "all")
    assert not odd.count("POST create_session")


PATH = "tinker://run/weights/step-000006"


@pytest.mark.parametrize(
    ("lacking", "there"),
    [(["POST weights_info"], False), (["POST weights_info", "GET training_runs/*"], None), ([], False)],
)
def test_whether_a_checkpoint_is_there_is_asked_in_two_ways_and_then_not_known(
    strange: tuple[Server, Odd], odd: Odd, lacking: list[str], there: bool | None
) -> None:
    odd.lack(*lacking)
    assert has_checkpoint(Endpoint(strange[0].url, KEY), PATH) is there


def test_a_checkpoint_of_which_nobody_can_be_asked_is_given_up_the_second_time(
    among_odds: Workshop, odd: Odd, left: Stage
) -> None:
    before = among_odds.store.read_assignment(left.id).checkpoint
    odd.lack("POST weights_info", "GET training_runs/*")
    odd.refuse("POST load_weights", 404, {"error": "no such checkpoint"})
    among_odds.attempt(left)
    assert among_odds.store.read_assignment(left.id).checkpoint == before
    among_odds.store.client.hset(keys.stage(left.id), "not_before", 0)
    among_odds.attempt(left)
    assert among_odds.store.read_assignment(left.id).checkpoint != before


def test_a_service_that_names_no_models_is_there_and_another_server_is_not_it(
    strange: tuple[Server, Odd], odd: Odd
) -> None:
    url = strange[0].url
    assert is_responding(Endpoint(url, KEY))
    assert len(list_served_models(url, KEY)) > 1
    odd.lack("GET get_server_capabilities")
    assert is_responding(Endpoint(url, KEY))
    assert list_served_models(url, KEY) == []
    odd.lack("GET healthz")
    with pytest.raises(ServiceRefused, match="TINKER_BASE_URL"):
        list_served_models(url, KEY)


def test_what_is_known_is_told(among_odds: Workshop) -> None:
    store = among_odds.store
    record_lack(store, "tinker", "ttl", 405)
    (known,) = read_known_accounts(store)
    assert "ttl" in describe_facts(known)
    record_facts(store, "tinker", {"moments": "yes"})
    record_lack(store, "tinker", "ttl", None)
    assert read_facts(store, "tinker").lacks == ()
    assert [lack for account in read_known_accounts(store) for lack in account.lacks] == []
