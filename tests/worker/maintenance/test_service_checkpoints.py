"""What an account stores is listed with its use; what an unfinished sweep needs is never discarded."""

from dataclasses import asdict

from scheduler.state import keys
from scheduler.state.keeping.retention import DAY
from scheduler.state.keeping.service_checkpoints import Use, classify, discard
from tests.worker.workshop import Workshop
from worker.outcome import Succeeded
from worker.sdk.rest import AccountClient

MODEL = "offline/ngram-s"
EVERY: tuple[Use, ...] = ("kept", "orphan", "foreign", "needed")


def test_a_checkpoint_is_needed_while_its_sweep_goes_on_then_kept_then_an_orphan(workshop: Workshop) -> None:
    account, store = AccountClient(workshop.context.endpoint(MODEL)), workshop.store
    stage = next(stage for stage in workshop.submit().plan.stages if stage.kind == "train")
    assert isinstance(workshop.attempt(stage), Succeeded)
    rows = [asdict(row) for row in account.list_all_checkpoints() if row.metadata.get("stage") == stage.id]
    store.scripts.run("retry_sweep", "one")
    assert {row.use for row in classify(store, rows)} == {"needed"}, "the sweep goes on"
    store.scripts.run("cancel_sweep", "one")
    there = classify(store, rows)
    newest = store.read_checkpoint(stage.id)
    assert newest is not None
    assert {row.use for row in there if row.path == newest["path"]} == {"kept"}
    assert all(row.bytes > 0 and row.sweep == "one" and row.stage == stage.id for row in there)
    assert discard(store, MODEL, there, uses=EVERY) == 0, "they are younger than a day"
    old = [{**row, "created": row["created"] - 2 * DAY} for row in rows]
    assert discard(store, MODEL, classify(store, old), uses=("kept",)) == 1
    assert store.client.zscore(keys.DISCARDED, f"{MODEL}|{newest['path']}") is not None
    assert {row.use for row in classify(store, old)} == {"orphan"}
    elsewhere = {**old[0], "metadata": {**old[0]["metadata"], "fleet": "another"}}
    assert {row.use for row in classify(store, [elsewhere, {**old[0], "metadata": {}}])} == {"foreign"}
