"""Probe a service in a process of the worker (`sweep doctor --live`), and store what it answers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scheduler.errors import SchedulerError, ServiceRefused
from scheduler.prepare import read_price_book
from scheduler.processes.addresses import is_up, read_addresses
from scheduler.service_check import OFFLINE_MODELS, check_served, list_served_models, read_key
from scheduler.services import OFFLINE_KEY, find_service
from scheduler.settings import Settings
from scheduler.state import views
from scheduler.state.service_facts import (
    ALL,
    PendingBill,
    ProbeAnswer,
    ProbeReport,
    read_facts,
    record_facts,
    record_lack,
)
from scheduler.state.states import StageState
from scheduler.state.store import Store

PROBE_COMMAND = [sys.executable, "-W", "ignore", "-m", "worker.maintenance.probe_main"]
UNANSWERED = ("unknown", "pending")  # answers that say nothing
PROBED = ("search", "ttl", "delete", "checkpoints", "usage")  # calls that a service may not have


class ProbeResult(NamedTuple):
    """What a probe found out."""

    model: str
    models: Sequence[str]  # that the account may use
    report: ProbeReport
    busy: bool  # stages were running, so the number of clients was not probed


class ProbeTarget(NamedTuple):
    """The service to probe."""

    model: str
    models: Sequence[str]
    environment: Mapping[str, str]


def probe_service(store: Store, settings: Settings, *, model: str | None, clients: int) -> ProbeResult:
    """Probe a service and store the answers. Raises SchedulerError if it cannot be probed."""
    where = (
        _find_offline(settings, model) if model and find_service(model) == "offline" else _find_live(model, settings)
    )
    service, busy = find_service(where.model), bool(views.read_stages_in_state(store, StageState.RUNNING, 1))
    pending = read_facts(store, service).pending
    words = [where.model, "--clients", "0" if busy else str(clients), *_list_pending_arguments(pending)]
    report = _run_probe([*PROBE_COMMAND, *words], where.environment)
    kept = {answer.what: answer.answer for answer in report.answers if answer.answer not in UNANSWERED}
    calls = kept.pop("calls", "")
    lacking = dict(word.split("=") for word in calls.split() if word != ALL)
    for call in PROBED if calls else ():
        record_lack(store, service, call, int(lacking[call]) if call in lacking else None)
    record_facts(
        store,
        service,
        {**kept, "models": json.dumps(list(where.models)), **_find_pending_change(pending, report.pending)},
    )
    return ProbeResult(where.model, where.models, report, busy and clients > 0)


def _list_pending_arguments(pending: PendingBill | None) -> list[str]:
    return [] if pending is None else ["--pending", pending.session, pending.model, pending.since.isoformat()]


def _find_pending_change(pending: PendingBill | None, name: str | None) -> dict[str, str]:
    """Return what changes of the pending bill. One that we already wait for keeps its time, by which it is found."""
    return {} if pending is not None and name == pending.name else {"pending": name or ""}


def _find_offline(settings: Settings, model: str) -> ProbeTarget:
    addresses = read_addresses(settings.home) if is_up(settings.home) else None
    url = settings.offline_url or (addresses.offline_url if addresses else None)
    if url is None:
        raise ServiceRefused(
            f"{model} needs a running tinker_offline: start one with `sweep up`, or set SWEEP_OFFLINE_URL"
        )
    models = list_served_models(url, OFFLINE_KEY)
    check_served([model], models, "tinker_offline")
    return ProbeTarget(model, models, {**os.environ, "SWEEP_OFFLINE_URL": url})


def _find_live(model: str | None, settings: Settings) -> ProbeTarget:
    key = read_key("`sweep doctor --live` asks Tinker", f"sweep doctor --live --model {OFFLINE_MODELS[0]}")
    models = list_served_models(settings.tinker_url, key)
    if model is not None and models:
        check_served([model], models, "the account")
    if model is None and not models:
        raise SchedulerError("the service does not list its models; choose one with --model")
    return ProbeTarget(model or _find_cheapest(models, settings), models, os.environ)


def _find_cheapest(models: Sequence[str], settings: Settings) -> str:
    prices = read_price_book(settings)
    priced = {
        model: price for model in models if (price := prices.find_price(model)) is not None and price.train is not None
    }
    if not priced:
        raise SchedulerError(f"{prices.name} has no price for any model of this account; add one in SWEEP_PRICES")
    return min(priced, key=lambda model: (priced[model].train or 0, model))


def _run_probe(command: Sequence[str], environment: Mapping[str, str]) -> ProbeReport:
    """Run the probe and read its report. If we are stopped, stop it too, and wait until it has closed its sessions."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    try:
        out, _ = process.communicate()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.communicate()
        raise
    try:
        document: dict[str, Any] = json.loads(out)
    except ValueError:
        raise SchedulerError(f"the probe ended with status {process.returncode} and no report") from None
    if "error" in document:
        raise SchedulerError(str(document["error"]))
    return ProbeReport(**{**document, "answers": [ProbeAnswer(**answer) for answer in document["answers"]]})
