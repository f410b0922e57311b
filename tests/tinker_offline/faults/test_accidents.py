"""What a client sees of each fault: through the SDK where it reacts at once, through plain HTTP where it would wait."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy.typing as npt
import pytest
import tinker
from tinker import types
from tinker.lib.retryable_exception import RetryableException

from tests.support import wait_until
from tests.tinker_offline.examples import ADAM, SMALL, batch, logprobs, train
from tests.tinker_offline.plain_http import create_model, fetch_future, post, save_weights
from tests.tinker_offline.process import KEY, Control, Server

ONCE = {"times": 1}


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("shaken"), ["--control"])
    server.start()
    yield server
    server.end()


@pytest.fixture
def control(shaken: Server) -> Iterator[Control]:
    with shaken.control() as side:
        yield side
        side.clear()
    with shaken.client() as client:  # what a test left open would take slots from the next one
        for session in post(client, "/sessions/search", statuses=[{"type": "active"}], limit=200)["sessions"]:
            finish(client, session["session_id"])


@pytest.fixture
def raw(shaken: Server) -> Iterator[httpx.Client]:
    with shaken.client() as client:
        yield client


@pytest.fixture(scope="module")
def undisturbed(shaken: Server) -> npt.NDArray[Any]:
    with shaken.session() as service:
        client = service.create_lora_training_client(SMALL, rank=4, seed=1).result(60)
        train(client, range(2))
        return logprobs(client, batch(9))


def poll(raw: httpx.Client, request_id: str) -> dict[str, Any]:
    """One answer to one poll, of a future that is not there yet."""
    response = raw.post("/retrieve_future", json={"request_id": request_id})
    assert response.status_code == 408, response.text
    answer: dict[str, Any] = response.json()
    assert answer["type"] == "try_again"
    return answer


def session_of(model_id: str) -> str:
    return model_id.partition(":")[0]


def finish(raw: httpx.Client, session: str) -> None:
    post(raw, f"/sessions/{session}/finish", reason={"type": "interrupted"})


def create(raw: httpx.Client, seq_id: int = 0) -> tuple[str, str]:
    """A session with a model that may not be there yet: its id and the creation's request id."""
    session = post(raw, "/create_session", tags=[])["session_id"]
    return session, post(raw, "/create_model", session_id=session, model_seq_id=seq_id, base_model=SMALL)["request_id"]


@pytest.mark.parametrize(
    "rules",
    [
        [{"on": "forward_backward", "drop": "before", **ONCE}],
        [{"on": ["forward_backward", "optim_step"], "drop": "after", **ONCE}],
        [{"on": "retrieve_future", "drop": "after", **ONCE}],
        [{"on": "optim_step", "answer": {"status": 503}, **ONCE}, {"on": "optim_step", "drop": "after", **ONCE}],
        [{"on": "forward_backward", "answer": {"status": 429, "retry_after": 0.2}, **ONCE}],
        [{"on": "retrieve_future", "answer": {"status": 500}, "times": 20}],
        [{"on": "*", "delay": 0.05}, {"on": "optim_step", "slow": 0.2}],
    ],
    ids=str,
)
def test_the_sdk_rides_it_out_and_everything_is_done_once(
    shaken: Server, control: Control, undisturbed: npt.NDArray[Any], rules: list[dict[str, Any]]
) -> None:
    with shaken.session() as service:
        client = service.create_lora_training_client(SMALL, rank=4, seed=1).result(60)
        control.set(rules=rules)
        train(client, range(2))
        assert all(control.hits())
        control.clear()
        assert logprobs(client, batch(9)).tobytes() == undisturbed.tobytes()
        usage = control.usage()[session_of(client.model_id)]
    assert usage["operations"] == {"forward_backward": 2, "optim_step": 2, "forward": 1}
    assert usage["tokens"] == {"training": 3 * 4 * 32}


def test_a_connection_is_dropped_not_answered(control: Control, raw: httpx.Client) -> None:
    for moment in ("before", "after"):
        control.set(rules=[{"on": "healthz", "drop": moment, **ONCE}])
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            raw.get("/healthz")
        assert raw.get("/healthz").status_code == 200


@pytest.mark.parametrize(("moment", "done"), [("before", 0), ("after", 1)])
def test_a_lost_request_did_nothing_and_a_lost_reply_did(
    control: Control, raw: httpx.Client, moment: str, done: int
) -> None:
    model = create_model(raw)
    control.set(rules=[{"on": "save_weights", "drop": moment, **ONCE}])
    with pytest.raises(httpx.RemoteProtocolError):
        save_weights(raw, model, 1, "once")
    wait_until(lambda: len(raw.get(f"/training_runs/{model}/checkpoints").json()["checkpoints"]) == done, "the save")
    fetch_future(raw, save_weights(raw, model, 1, "once"))  # again: "taken" if done twice


def test_an_answer_is_as_it_was_ordered(control: Control, raw: httpx.Client) -> None:
    answer = {"status": 402, "retry_after": 3, "body": {"error": "pay"}}
    control.set(rules=[{"on": "optim_step", "answer": answer}, {"on": "session_heartbeat", "answer": {"status": 410}}])
    response = raw.post("/optim_step", json={})
    assert (response.status_code, response.headers["retry-after"], response.json()) == (402, "3", {"error": "pay"})
    assert raw.post("/session_heartbeat", json={}).status_code == 410
    assert raw.get("/healthz").status_code == 200


def test_an_outage_ends(control: Control, raw: httpx.Client) -> None:
    window = {"during": {"from": 0, "for": 0.4}}
    control.set(rules=[{"on": "healthz", "drop": "before", **window}, {"on": "*", "answer": {"status": 503}, **window}])
    assert raw.post("/create_session", json={}).status_code == 503
    with pytest.raises(httpx.RemoteProtocolError):
        raw.get("/healthz")
    wait_until(lambda: raw.post("/create_session", json={}).status_code == 200, "the end of the outage", seconds=5)


def test_an_expired_promise_is_raised_by_the_sdk(shaken: Server, control: Control) -> None:
    with shaken.session() as service:
        client = service.create_lora_training_client(SMALL, rank=4).result(60)
        control.set(rules=[{"on": "retrieve_future", "answer": {"status": 410}, **ONCE}])
        with pytest.raises(RetryableException, match="Promise"):
            client.optim_step(ADAM).result(30)


def test_an_answer_that_never_comes(shaken: Server, control: Control) -> None:
    with shaken.session() as service:
        client = service.create_lora_training_client(SMALL, rank=4).result(60)
        control.set(rules=[{"on": "forward_backward", "never": True, **ONCE}])
        stuck, later = client.forward_backward(batch(0), "cross_entropy"), client.optim_step(ADAM)
        assert later.result(30).metrics is not None
        with pytest.raises(TimeoutError):
            stuck.result(0.2)
        control.clear()
        assert stuck.result(30).metrics


def test_a_creation_over_the_cap_waits_for_a_slot_in_the_order_of_arrival(control: Control, raw: httpx.Client) -> None:
    control.set(max_clients=1)
    first, made = create(raw)
    assert fetch_future(raw, made)["model_id"] == f"{first}:train:0"
    (second, waiting), (third, other) = create(raw), create(raw)
    assert poll(raw, waiting)["queue_state"] == "paused_rate_limit"
    early = save_weights(raw, f"{second}:train:0", 1, "early")  # it waits for its model
    finish(raw, first)
    assert fetch_future(raw, waiting)["model_id"] == f"{second}:train:0"
    assert "path" in fetch_future(raw, early)
    assert "too many" in poll(raw, other)["queue_state_reason"]
    finish(raw, third)
    assert "finished" in fetch_future(raw, other)["error"]  # it gave up its place
    _, last = create(raw)
    finish(raw, second)
    assert "model_id" in fetch_future(raw, last)


def test_the_sdk_waits_for_a_slot(shaken: Server, control: Control) -> None:
    control.set(max_clients=1)
    with shaken.session() as second:
        with shaken.session() as first:
            first.create_lora_training_client(SMALL, rank=4).result(60)
            waiting = second.create_lora_training_client(SMALL, rank=4).future()
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
        train(waiting.result(30), [0])


def test_in_a_pause_nothing_is_computed_and_after_it_everything_is(
    shaken: Server, control: Control, raw: httpx.Client
) -> None:
    with shaken.session() as service:
        client = service.create_lora_training_client(SMALL, rank=4).result(60)
        saved = save_weights(raw, create_model(raw), 1, "before")
        assert "path" in fetch_future(raw, saved)
        control.set(pause={"for": 60})
        pending = client.forward_backward(batch(0), "cross_entropy")
        assert poll(raw, saved)["queue_state"] == "paused_capacity"
        with pytest.raises(TimeoutError):
            pending.result(0.1)
        assert session_of(client.model_id) not in control.usage()
        control.set(pause={"for": 0.2})
        assert pending.result(30).metrics
        assert control.usage()[session_of(client.model_id)]["operations"] == {"forward_backward": 1}


def test_work_whose_session_ends_before_its_turn_is_neither_done_nor_counted(
    control: Control, raw: httpx.Client
) -> None:
    model = create_model(raw)
    control.set(pause={"for": 60})
    step = post(raw, "/optim_step", model_id=model, seq_id=1, adam_params={})["request_id"]
    kept = save_weights(raw, model, 2, "kept")
    finish(raw, session_of(model))
    control.clear()
    for queued in (step, kept):
        assert "was finished" in fetch_future(raw, queued)["error"]
    assert session_of(model) not in control.usage()
    assert raw.get(f"/training_runs/{model}/checkpoints").json()["checkpoints"] == []


def test_a_silent_session_is_dropped_with_what_it_holds(control: Control, raw: httpx.Client) -> None:
    model = create_model(raw)
    session, early = session_of(model), save_weights(raw, model, 2, "never")
    control.set(max_clients=1)
    lively, waiting = create(raw)
    assert poll(raw, waiting)["queue_state"] == "paused_rate_limit"

    def dropped() -> bool:
        assert raw.post("/session_heartbeat", json={"session_id": lively}).status_code == 200
        return bool(status(raw, session)["type"] == "cancelled")

    control.set(max_clients=1, silence=0.5)
    wait_until(dropped, "the drop")
    assert fetch_future(raw, waiting)["model_id"] == f"{lively}:train:0"
    failed = fetch_future(raw, early)
    assert (failed["category"], "no heartbeat for 0.5 s" in failed["error"]) == ("server", True)
    assert raw.post("/session_heartbeat", json={"session_id": session}).status_code == 410
    assert raw.post("/save_weights", json={"model_id": model, "seq_id": 1, "path": "x"}).status_code == 404
    again = {"session_id": session, "model_seq_id": 1, "base_model": SMALL}
    assert raw.post("/create_model", json=again).status_code == 410
    finish(raw, session)  # too late to change how it ended
    assert status(raw, session)["type"] == "cancelled"


def status(raw: httpx.Client, session: str) -> dict[str, Any]:
    [session_found] = post(raw, "/sessions/search", session_id=session)["sessions"]
    answer: dict[str, Any] = session_found["status"]
    return answer


def test_a_checkpoint_that_expired_cannot_be_loaded(shaken: Server, control: Control) -> None:
    with shaken.session() as service:
        client = service.create_lora_training_client(SMALL, rank=4).result(60)
        gone, kept = (client.save_state(name).result(60).path for name in ("gone", "kept"))
        with pytest.raises(httpx.HTTPStatusError):
            control.expire([kept, f"{kept}-never-was"])
        control.expire([gone])
        with pytest.raises(tinker.NotFoundError, match="expired"):
            service.create_training_client_from_state_with_optimizer(gone).result(60)
        service.create_training_client_from_state_with_optimizer(kept).result(60)
        control.expire()
        assert shaken.rest().list_user_checkpoints().result(30).checkpoints == []


def test_a_reaper_finds_and_ends_a_session_that_is_not_its_own(shaken: Server, raw: httpx.Client) -> None:
    """To the service, the opener is another process: only the API key is the same."""
    orphan = tinker.ServiceClient(base_url=shaken.url, api_key=KEY, user_metadata={"stage": "orphan"})
    client = orphan.create_lora_training_client(SMALL, rank=4).result(60)
    query = {"user_metadata": {"stage": "orphan"}, "statuses": [{"type": "active"}]}
    with pytest.warns(tinker.ExperimentalWarning):
        page = shaken.rest().search_sessions(types.SessionSearchRequest.model_validate(query)).result(30)
    [session] = page.sessions
    assert shaken.rest().get_session(session.session_id).result(30).training_run_ids == [client.model_id]
    finish(raw, session.session_id)
    assert status(raw, session.session_id)["reason"] == {"type": "interrupted"}
    with pytest.raises(tinker.NotFoundError, match=client.model_id):
        client.optim_step(ADAM).result(30)
    orphan.close("success").result(30)  # too late, and no error
    assert status(raw, session.session_id)["reason"] == {"type": "interrupted"}


def test_what_is_billed_is_complete_up_to_the_moment_that_is_named(shaken: Server, raw: httpx.Client) -> None:
    """The results were never fetched, and the work cannot be done that soon."""
    session = post(raw, "/create_session", user_metadata={"stage": "billed"})["session_id"]
    where = post(raw, "/create_sampling_session", session_id=session, sampling_session_seq_id=0, base_model=SMALL)
    prompt = {"chunks": [{"type": "encoded_text", "tokens": [0, 40, 41]}]}
    for seq_id in range(10):
        body = {"sampling_session_id": where["sampling_session_id"], "seq_id": seq_id, "prompt": prompt}
        post(raw, "/asample", **body, num_samples=1, sampling_params={"max_tokens": 50, "seed": seq_id})
    hour, asked = datetime.now(UTC).replace(minute=0, second=0, microsecond=0), datetime.now(UTC)
    admin = tinker.AdminClient(base_url=shaken.url, api_key=KEY)
    page = admin.get_billing_usage(hour, hour + timedelta(hours=2)).result(30)
    assert page.cost_data_through is not None
    assert page.cost_data_through >= asked
    mine = [event.event_info for event in page.data if event.session_id == session]
    assert sum(event.token_count for event in mine if event.type == "sampling_prefill") == 10 * 3
    assert page.sessions[session].user_metadata == {"stage": "billed"}


def test_a_crash_forgets_models_and_nothing_that_was_answered(own_server: Server) -> None:
    own_server.options = ["--control"]
    own_server.start()
    service = tinker.ServiceClient(base_url=own_server.url, api_key=KEY)
    client = service.create_lora_training_client(SMALL, rank=4).result(60)
    kept = client.save_state("kept").result(60).path
    pending = [client.forward_backward(batch(step), "cross_entropy") for step in range(50)]
    for answer in pending[:5]:
        answer.result(30)
    session = session_of(client.model_id)
    with own_server.control() as control:
        control.crash()
    assert own_server.end() == -9
    service.close("errored")
    own_server.start()
    with own_server.control() as control, own_server.client() as raw:
        usage = control.usage()[session]
        assert 5 <= usage["operations"]["forward_backward"] <= 50
        assert usage["tokens"]["training"] == usage["operations"]["forward_backward"] * 4 * 32
        assert [checkpoint["tinker_path"] for checkpoint in raw.get("/checkpoints").json()["checkpoints"]] == [kept]
        assert raw.post("/get_info", json={"model_id": client.model_id}).status_code == 404
        assert raw.post("/session_heartbeat", json={"session_id": session}).status_code == 200
