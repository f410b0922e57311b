"""A restored older state starts nothing before its books cover what the service did since, and they equal it then."""

from pathlib import Path

from scheduler.state import keys
from scheduler.state.keeping.backup import restore_backup, take_backup
from scheduler.state.server.failover import read_books
from tests.support import wait_until
from tests.worker.dead_attempts import count_tokens, make_housekeeping, read_ledger, submit_training
from tests.worker.workshop import Workshop


def test_a_restored_state_opens_when_what_was_done_since_is_booked(workshop: Workshop, tmp_path: Path) -> None:
    stage, store = submit_training(workshop), workshop.store
    take_backup(store, workshop.artefacts.url, tmp_path / "backup")
    workshop.attempt(stage)  # and its evaluation, of which the backup knows nothing
    counted, known = count_tokens(workshop), read_ledger(workshop)
    assert known["tokens"] == counted > 0
    store.client.flushall()
    restore_backup(store, workshop.artefacts.url, tmp_path / "backup")
    assert store.dispatch(stage.id, sweep="one", patience=20).refused == "books"
    housekeeping = make_housekeeping(workshop)
    assert housekeeping._lost_writes.compare_if_closed()
    assert not read_books(store).closed
    assert read_ledger(workshop)["unreconciled"] >= known["spent"], "at its upper bound"

    def is_reconciled() -> bool:
        housekeeping.round()
        return not store.client.zcard(keys.UNRECONCILED) and not read_books(store).attempts

    wait_until(is_reconciled, "everything to be reconciled")
    exact = read_ledger(workshop)
    assert (exact["tokens"], exact["spent"], exact["unreconciled"]) == (counted, known["spent"], 0)
    assert store.dispatch(stage.id, sweep="one", patience=20).attempt == 2
