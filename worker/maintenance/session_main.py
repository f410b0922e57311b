"""List the sessions of this fleet at a service: python -m worker.maintenance.session_main MODEL FLEET SECONDS.

It prints one JSON object: {"sessions": [...]} with a row for each session that began since then (seconds since 1970),
with what the service counted in it; or {"error": ...}.
"""

import json
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from scheduler.engine.retry import Fault
from scheduler.errors import SchedulerError
from scheduler.prepare import read_price_book
from scheduler.settings import read_settings
from sweeps.cost import Rates
from sweeps.stage import MICRO
from worker.maintenance import reconcile
from worker.sdk.endpoints import make_endpoints
from worker.sdk.failures import ServiceError
from worker.sdk.rest import AccountClient, SessionRecord, SessionUsage


def main(arguments: list[str]) -> int:
    """Return the exit status: 0, or 1 if the service does not tell."""
    model, fleet, since = arguments[0], arguments[1], datetime.fromtimestamp(float(arguments[2]), UTC)
    try:
        settings = read_settings()
        sessions, used = read_fleet_sessions(AccountClient(make_endpoints(settings)(model)), fleet, since)
        book = read_price_book(settings)
        document: dict[str, Any] = {"sessions": [_make_row(session, used, book.rates) for session in sessions]}
    except (SchedulerError, ServiceError) as error:
        document = {"error": str(error)}
    sys.stdout.write(json.dumps(document) + "\n")
    return int("error" in document)


def read_fleet_sessions(
    account: AccountClient, fleet: str, since: datetime
) -> tuple[list[SessionRecord], list[SessionUsage] | None]:
    """Read the sessions that this fleet opened since a moment, and what was used in them.

    The usage is None if the service does not tell. Raises ServiceError.
    """
    sessions = account.find_sessions({"fleet": fleet}, since)
    windows = reconcile.split_into_windows(since, datetime.now(UTC)) if sessions else ()
    try:
        return sessions, [usage for start, end in windows for usage in account.read_usage(start, end)]
    except ServiceError as error:
        if not (error.missing or error.fault is Fault.ACCOUNT):
            raise
        return sessions, None


def _make_row(
    session: SessionRecord, used: Sequence[SessionUsage] | None, rates: Callable[[str], Rates]
) -> dict[str, Any]:
    mine = [usage for usage in used or () if usage.session == session.id]
    prices = [_price(usage, rates(usage.model)) for usage in mine]
    known = [price for price in prices if price is not None]
    return {
        "session": session.id,
        "status": session.status,
        "began": session.began.timestamp(),
        **{name: session.metadata.get(name, "") for name in ("sweep", "stage", "attempt", "canary")},
        "tokens": None if used is None else sum(usage.usage.tokens for usage in mine),
        "usd": None if used is None or len(known) < len(prices) else sum(known),
    }


def _price(used: SessionUsage, rates: Rates) -> float | None:
    """Return what the service bills, or else our price, in US dollars; None if neither is known."""
    if used.usd is not None:
        return used.usd
    return rates.price(used.usage) / MICRO if rates.know(used.usage) else None


if __name__ == "__main__":
    logging.getLogger("tinker").setLevel(logging.ERROR)
    sys.exit(main(sys.argv[1:]))
