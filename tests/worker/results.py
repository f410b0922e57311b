"""Read what stages left behind: results, item rows, and usage as the results and the service count it."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest

from scheduler.artefacts import decode_rows
from scheduler.state import keys
from sweeps.cost import Usage
from sweeps.stage import Json, Stage
from tests.worker.workshop import Workshop
from worker.maintenance import reconcile
from worker.sdk.rest import AccountClient, SessionUsage
from worker.training.training_loop import Training


def list_service_usage(workshop: Workshop) -> list[SessionUsage]:
    """The usage that the service counted in the sessions of this installation."""
    now = datetime.now(UTC)
    account = AccountClient(workshop.context.endpoint("offline/ngram-s"))
    spans = reconcile.split_into_windows(now - timedelta(hours=1), now)
    return [
        row
        for start, end in spans
        for row in account.read_usage(start, end)
        if row.metadata.get("fleet") == workshop.context.fleet
    ]


def count_at_service(workshop: Workshop) -> Usage:
    return reduce(Usage.plus, (row.usage for row in list_service_usage(workshop)), Usage())


def read_usage(workshop: Workshop, *stages: Stage) -> Usage:
    """The usage that the results of stages state."""
    results = [workshop.store.read_result(stage.id) or {} for stage in stages]
    return reduce(Usage.plus, (Usage.read(result["usage"]) for result in results), Usage())


def read_result(workshop: Workshop, stage: Stage) -> dict[str, Json]:
    return dict(workshop.store.read_result(stage.id) or {})


def read_items(workshop: Workshop, stage: Stage) -> list[Any]:
    return list(decode_rows(workshop.artefacts.read(str(read_result(workshop, stage)["items"]))))


def watch_reservation(monkeypatch: pytest.MonkeyPatch, workshop: Workshop, stage: str) -> list[int]:
    """Return a list that gets, at each submission of a training, the micro-dollars used beyond what is held for it."""
    beyond: list[int] = []
    use = Training._use

    def watched(training: Training, usage: Usage) -> None:
        use(training, usage)
        reserved, metered = workshop.store.client.hmget(keys.stage(stage), ["reserved", "metered"])
        beyond.append(training._this.spending.meter.micro_usd - int(reserved or 0) - int(metered or 0))

    monkeypatch.setattr(Training, "_use", watched)
    return beyond
