"""Sum up what a service bills for each sweep, in a process of its own: python -m worker.maintenance.bill_main.

A service lists all that an organisation used, hour by hour and session by session: 4 kB of memory for each row.
"""

import json
import logging
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from scheduler.engine.retry import Fault
from scheduler.processes.secret_files import load_secrets
from worker.maintenance import reconcile
from worker.maintenance.apart import run_apart
from worker.maintenance.reconcile import Bill
from worker.sdk.endpoints import Endpoint
from worker.sdk.failures import ServiceError
from worker.sdk.rest import AccountClient

PATIENCE = 60.0  # seconds for the whole answer


def read_bills(endpoint: Endpoint, fleet: str, since: datetime) -> dict[str, Bill]:
    """Return what the service bills for each sweep of a fleet since a moment. Raises ServiceError.

    Key and address go through a pipe, because others see the arguments of a process.
    """
    order = json.dumps({**asdict(endpoint), "fleet": fleet, "since": since.timestamp()})
    printed = run_apart("worker.maintenance.bill_main", order=order, patience=PATIENCE)
    if printed is None:
        raise ServiceError(
            Fault.OUTAGE, f"no bills from the service in {PATIENCE:g} s, or the process that reads them was killed"
        )
    try:
        document: dict[str, Any] = json.loads(printed)
    except ValueError:
        raise ServiceError(Fault.MACHINE, "the process that reads the bills ended without an answer") from None
    if "fault" in document:
        raise ServiceError(Fault(document.pop("fault")), document.pop("error"), **document)
    return {sweep: Bill(**bill) for sweep, bill in document["bills"].items()}


def main() -> int:
    """Answer the order on standard input with one JSON object: {"bills": ...}, or what went wrong."""
    order = json.load(sys.stdin)
    account = AccountClient(Endpoint(order["base_url"], order["api_key"]))
    windows = reconcile.split_into_windows(datetime.fromtimestamp(order["since"], UTC), datetime.now(UTC))
    try:
        used = (usage for start, end in windows for usage in account.read_usage(start, end))
        bills = reconcile.sum_bills(used, order["fleet"])
        document: dict[str, Any] = {"bills": {sweep: asdict(bill) for sweep, bill in bills.items()}}
    except ServiceError as error:
        flags = {"status": error.status, "missing": error.missing, "lacking": error.lacking}
        document = {"fault": error.fault, "error": str(error), **flags}
    sys.stdout.write(json.dumps(document) + "\n")
    return 0  # what went wrong is an answer, too


if __name__ == "__main__":
    load_secrets()
    logging.getLogger("tinker").setLevel(logging.ERROR)
    sys.exit(main())
