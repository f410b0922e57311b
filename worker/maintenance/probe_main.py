"""Probe what the service's documentation leaves open: python -m worker.maintenance.probe_main MODEL.

It spends a few hundred tokens at the service and prints one JSON object: a ProbeReport, or
{"error": ...}.
"""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime

from scheduler.engine.retry import Fault
from scheduler.errors import SchedulerError
from scheduler.prepare import read_price_book
from scheduler.settings import read_settings
from scheduler.state.service_facts import PendingBill, ProbeAnswer, ProbeReport
from sweeps.cost import Usage
from sweeps.errors import SweepsError
from sweeps.planning.prices import PriceBook
from sweeps.stage import MICRO
from worker.maintenance.probes import FIRST, TOKENS, ProbeName, Probes
from worker.sdk.endpoints import make_endpoints
from worker.sdk.failures import ServiceError

MOST = 50_000  # micro-dollars that the probes may cost


def bound_cost(model: str, prices: PriceBook) -> int:
    """Return the most micro-dollars that the probes cost. Raises SchedulerError if that is unknown or too much."""
    rates, usages = prices.rates(model), [Usage(training=TOKENS), Usage(prefill=TOKENS), Usage(sample=TOKENS)]
    if not all(map(rates.know, usages)):
        raise SchedulerError(f"{model} has no price in {prices.name}; choose a model with a price, or add a row for it")
    most = max(map(rates.price, usages))
    if most > MOST:
        raise SchedulerError(
            f"asking {model} could cost ${most / MICRO:.4f} ({TOKENS} tokens); "
            f"more than ${MOST / MICRO:g} is not allowed; choose a cheaper model"
        )
    return most


def run_probes(
    this: Probes, *, clients: int, pending: PendingBill | None = None
) -> tuple[list[ProbeAnswer], PendingBill | None]:
    """Run every probe once, the last with at most `clients` clients (0: not at all); also return the pending bill.

    A probe that cannot tell says so, and the others run all the same.
    """

    def forward() -> ProbeAnswer:
        nonlocal pending
        answer, pending = this.probe_forward(pending)
        return answer

    questions: list[tuple[ProbeName, Callable[[], ProbeAnswer]]] = [
        ("calls", this.probe_calls),
        ("moments", this.probe_moments),
        ("finish", this.probe_finish),
        ("forward", forward),
    ]
    if clients:
        questions.append(("clients", lambda: this.probe_clients(clients)))
    answers = [_probe(what, question) for what, question in questions]
    return answers, pending


def _probe(what: ProbeName, question: Callable[[], ProbeAnswer]) -> ProbeAnswer:
    try:
        return question()
    except ServiceError as error:
        return ProbeAnswer(what, "unknown", str(error))


def _act_as_other_process(this: Probes) -> None:
    """Open a session, print its id, wait for a line, and report whether the session still works."""
    with this.session("finish") as session:
        try:
            trainer = this.open_trainer(session)
        except ServiceError as error:
            _write_json({"error": str(error)})
            return
        _write_json({"session": trainer.session_id})
        if not sys.stdin.readline():
            return
        try:
            this.wait(trainer.forward(FIRST))
            _write_json({"refused": "no"})
        except ServiceError as error:
            _write_json({"refused": str(error) if error.fault in (Fault.OUTAGE, Fault.ACCOUNT) else "yes"})


def _write_json(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0, 1 if nothing could be asked, 130 if interrupted."""
    options = _parse_arguments(arguments)
    try:
        settings = read_settings()
        cost = bound_cost(options.model, read_price_book(settings))
        this = Probes(make_endpoints(settings)(options.model), options.model, name=options.open)
        if options.open:
            _act_as_other_process(this)
            return 0
        answers, pending = run_probes(this, clients=options.clients, pending=_read_pending(options.pending))
        _write_json(asdict(ProbeReport(answers, pending.name if pending else None, TOKENS, cost / MICRO)))
    except (SchedulerError, SweepsError, ServiceError) as error:
        _write_json({"error": str(error)})
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _read_pending(words: Sequence[str] | None) -> PendingBill | None:
    return PendingBill(words[0], words[1], datetime.fromisoformat(words[2])) if words else None


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m worker.maintenance.probe_main", description=str(__doc__).partition("\n")[0]
    )
    parser.add_argument("model")
    parser.add_argument("--clients", type=int, default=16, help="open at most this many training clients (0: none)")
    parser.add_argument(
        "--pending", nargs=3, metavar=("SESSION", "MODEL", "TIME"), help="an earlier probe whose bill is pending"
    )
    parser.add_argument("--open", metavar="NAME", help="act as the other process of a probe")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    logging.getLogger("tinker").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # everything opened must be closed on SIGTERM too
    sys.exit(main())
