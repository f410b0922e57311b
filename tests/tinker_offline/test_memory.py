"""What a restart keeps, what it loses, and what can be listed."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import tinker
from tinker import types

from tests.tinker_offline.examples import SMALL, batch, logprobs, tokens, train
from tests.tinker_offline.process import KEY, Server
from tinker_offline.checkpoints import Checkpoint, CheckpointStore, TrainingRun, expire_at
from tinker_offline.errors import Refusal
from tinker_offline.journal import Journal
from tinker_offline.request_models import CreateSession, FinishReason, FinishSession
from tinker_offline.sessions import Sessions
from tinker_offline.usage import UsageCounter

PROMPT = types.ModelInput.from_ints(tokens("abcdefghi"))
NOW = datetime.now(UTC)
EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))  # a run may pass a full hour


def billed(server: Server, session_id: str) -> dict[str, int]:
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    admin = tinker.AdminClient(base_url=server.url, api_key=KEY)
    tokens: dict[str, int] = {}
    for event in admin.get_billing_usage(hour, hour + timedelta(hours=3)).result(30).data:
        if event.session_id == session_id:
            name = event.event_info.type + ("(cached)" if getattr(event.event_info, "cached", False) else "")
            tokens[name] = tokens.get(name, 0) + getattr(event.event_info, "token_count", 0)
    return tokens


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_checkpoints_and_usage_outlive_a_restart_and_models_do_not(own_server: Server, number: int) -> None:
    own_server.start()
    service = tinker.ServiceClient(base_url=own_server.url, api_key=KEY, user_metadata={"stage": "train-1"})
    client = service.create_lora_training_client(SMALL, rank=4, seed=5).result(60)
    train(client, range(3))
    path = client.save_state("kept", user_metadata={"step": "3"}).result(60).path
    expected = logprobs(client, batch(7))
    session = client.model_id.partition(":")[0]
    before = billed(own_server, session)
    assert before == {"training": 4 * 4 * 32}
    service.close("interrupted").result(30)
    assert own_server.end(number) == (0 if number == signal.SIGTERM else -number)

    own_server.start()
    rest = own_server.rest()
    assert billed(own_server, session) == before
    [kept] = rest.list_checkpoints(client.model_id).result(30).checkpoints
    assert (kept.tinker_path, kept.user_metadata) == (path, {"step": "3"})
    assert rest.get_training_run(client.model_id).result(30).lora_rank == 4
    assert rest.get_session(session).result(30).user_metadata == {"stage": "train-1"}
    with own_server.client() as raw:
        assert raw.post("/get_info", json={"model_id": client.model_id}).status_code == 404
    with own_server.session() as another:
        loaded = another.create_training_client_from_state_with_optimizer(path).result(60)
        assert logprobs(loaded, batch(7)).tobytes() == expected.tobytes()


def test_usage_is_exact(server: Server) -> None:
    with server.session(stage="s") as service:
        client = service.create_lora_training_client(SMALL, rank=4).result(60)
        session = client.model_id.partition(":")[0]
        train(client, range(2))
        logprobs(client, batch(0))
        with pytest.raises(tinker.RequestFailedError):
            client.forward_backward(batch(0), "dro").result(60)  # not billed
        sampler = client.save_weights_and_get_sampling_client().result(60)
        samples = sampler.sample(PROMPT, 3, types.SamplingParams(max_tokens=5, seed=1)).result(60).sequences
        sampler.compute_logprobs(PROMPT).result(60)
        assert billed(server, session) == {
            "training": 3 * 4 * 32,
            "sampling_prefill": 10 + 10,
            "sampling_prefill(cached)": 20,
            "sampling_sample": sum(len(sample.tokens) for sample in samples) + 1,
        }


def metered(prompt: types.ModelInput, response: types.SampleResponse) -> dict[str, int]:
    """What a client can count of one sample request, from what it sent and what came back: of the first sequence the
    prompt is prefilled but for what was in the cache, of every further one it is in the cache."""
    hit, further = response.prompt_cache_hit_tokens, len(response.sequences) - 1
    return {
        "sampling_prefill": prompt.length - hit,
        "sampling_prefill(cached)": hit + further * prompt.length,
        "sampling_sample": sum(len(sequence.tokens) for sequence in response.sequences),
    }


def test_a_client_can_meter_its_samples_exactly(server: Server) -> None:
    with server.session(stage="metered") as service:
        client = service.create_lora_training_client(SMALL, rank=4).result(60)
        session = client.model_id.partition(":")[0]
        sampler = client.save_weights_and_get_sampling_client().result(60)
        counted: dict[str, int] = {}
        for number, (prompt, count) in enumerate([("abc", 1), ("abcdef", 4), ("abcdef", 4), ("x", 7)]):
            asked, params = types.ModelInput.from_ints(tokens(prompt)), types.SamplingParams(max_tokens=9, seed=number)
            response = sampler.sample(asked, count, params, include_prompt_logprobs=number == 2).result(60)
            for kind, amount in metered(asked, response).items():
                counted[kind] = counted.get(kind, 0) + amount
        assert billed(server, session) == counted


def test_checkpoints_are_listed_renewed_and_deleted(server: Server) -> None:
    rest = server.rest()
    with server.session() as service:
        client = service.create_lora_training_client(SMALL, rank=4, user_metadata={"run": "1"}).result(60)
        for name in ("one", "two"):
            client.save_state(name, ttl_seconds=3600).result(60)
        sampler = client.save_weights_for_sampler("three").result(60).path
    listed = rest.list_checkpoints(client.model_id).result(30).checkpoints
    assert [checkpoint.checkpoint_id for checkpoint in listed] == [
        "sampler_weights/three",
        "weights/two",
        "weights/one",
    ]
    assert [checkpoint.expires_at is None for checkpoint in listed] == [True, False, False]
    page = rest.list_user_checkpoints(limit=2, offset=0).result(30)
    assert len(page.checkpoints) == 2
    assert page.cursor is not None
    assert page.cursor.total_count >= 3
    two = listed[1].tinker_path
    rest.set_checkpoint_ttl_from_tinker_path(two, None).result(30)
    rest.set_checkpoint_ttl_from_tinker_path(sampler, 4000).result(30)
    rest.delete_checkpoint_from_tinker_path(listed[2].tinker_path).result(30)
    left = rest.list_checkpoints(client.model_id).result(30).checkpoints
    assert [(checkpoint.checkpoint_id, checkpoint.expires_at is None) for checkpoint in left] == [
        ("sampler_weights/three", False),
        ("weights/two", True),
    ]
    run = rest.get_training_run_by_tinker_path(two).result(30)
    assert (run.base_model, run.user_metadata) == (SMALL, {"run": "1"})
    assert run.last_checkpoint is not None
    assert run.last_checkpoint.tinker_path == two
    assert rest.get_weights_info_by_tinker_path(two).result(30).lora_rank == 4
    assert client.model_id in {
        run.training_run_id for run in rest.list_training_runs(limit=500).result(30).training_runs
    }
    with pytest.raises(tinker.NotFoundError):
        rest.delete_checkpoint_from_tinker_path(listed[2].tinker_path).result(30)


def a_checkpoint(name: str, expires_at: str | None) -> Checkpoint:
    return Checkpoint("run", "weights", name, NOW.isoformat(), 0, expires_at, None)


def test_an_expired_checkpoint_vanishes(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.add_run(TrainingRun("run", "session", SMALL, 4, NOW.isoformat(), None))
    arrays = {"x": np.zeros(3)}
    store.save(a_checkpoint("late", (NOW - timedelta(seconds=1)).isoformat()), arrays, overwrite=False)
    kept = store.save(a_checkpoint("kept", expire_at(3600)), arrays, overwrite=False)
    again = CheckpointStore(tmp_path)
    assert again.list() == [kept]
    assert again.find("tinker://run/weights/late") is None
    assert {path.name for path in (tmp_path / "run" / "weights").iterdir()} == {"kept.json", "kept.npz"}
    store.list()
    store.save(a_checkpoint("late", None), arrays, overwrite=False)  # the name is free again


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b"])
def test_a_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refusal, match="name"):
        CheckpointStore(tmp_path).save(a_checkpoint(name, None), {}, overwrite=False)
    assert not list(tmp_path.iterdir())


def test_sessions_are_found_by_what_they_carry(server: Server) -> None:
    rest = server.rest()

    def found(**query: object) -> list[str]:
        with pytest.warns(tinker.ExperimentalWarning):
            page = rest.search_sessions(types.SessionSearchRequest.model_validate(query)).result(30)
        return [session.session_id for session in page.sessions]

    with server.session(sweep="s1", stage="a") as first, server.session(sweep="s1", stage="b") as second:
        ids = [
            client.create_lora_training_client(SMALL, rank=1).result(60).model_id.partition(":")[0]
            for client in (first, second)
        ]
        assert found(user_metadata={"sweep": "s1"}, statuses=[{"type": "active"}]) == ids[::-1]
        assert found(user_metadata={"sweep": "s1", "stage": "a"}) == [ids[0]]
        assert found(user_metadata={"sweep": "s2"}) == []
    assert found(user_metadata={"sweep": "s1"}, statuses=[{"type": "active"}]) == []
    finished = {"type": "client_finished", "reasons": ["success"]}
    assert found(user_metadata={"sweep": "s1"}, statuses=[finished]) == ids[::-1]
    assert found(user_metadata={"sweep": "s1"}, limit=1) == [ids[1]]
    assert ids[0] in rest.list_sessions(limit=100).result(30).sessions
    assert rest.get_session(ids[0]).result(30).training_run_ids == [f"{ids[0]}:train:0"]


def test_a_line_that_was_cut_off_is_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "usage.jsonl"
    UsageCounter(path).add("session", SMALL, "training", 5)
    with path.open("a") as file:
        file.write('{"use":[1,"sess')
    usage = UsageCounter(path)
    usage.add("session", SMALL, "training", 2)
    assert [event["event_info"]["token_count"] for event in UsageCounter(path).list_events(*EVER)] == [7]
    assert len(Journal(path).read()) == 1


def test_a_new_time_to_live_and_a_deletion_outlive_a_restart(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.add_run(TrainingRun("run", "session", SMALL, 4, NOW.isoformat(), None))
    saved = [store.save(a_checkpoint(name, None), {"x": np.zeros(3)}, overwrite=False) for name in ("one", "two")]
    store.set_ttl(saved[0].path, 3600)
    store.delete(saved[1].path)
    [kept] = CheckpointStore(tmp_path).list()
    assert kept == store.get(saved[0].path)
    assert kept.expires_at is not None


def test_how_a_session_ended_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    sessions = Sessions(path)
    dropped, finished = (sessions.create(CreateSession()).session_id for _ in range(2))
    sessions.finish(finished, FinishSession(reason=FinishReason(type="errored")))
    assert [session.session_id for session in sessions.drop_silent(0.0)] == [dropped]
    with path.open("a") as file:
        file.write('{"session": "cut o')
    again = Sessions(path)
    assert again.get(finished).status()["type"] == "client_finished"
    assert again.get(dropped).status() == {"type": "cancelled", "detail": "no heartbeat for 0 s"}
    again.create(CreateSession())
    assert len(Sessions(path).list_newest()) == 3
