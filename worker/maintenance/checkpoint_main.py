"""List the checkpoints of an account: python -m worker.maintenance.checkpoint_main MODEL.

It prints one JSON object: {"checkpoints": [...]} with a row for each, or {"error": ...}.
"""

import json
import logging
import sys
from dataclasses import asdict

from scheduler.errors import SchedulerError
from scheduler.settings import read_settings
from worker.sdk.endpoints import make_endpoints
from worker.sdk.failures import ServiceError
from worker.sdk.rest import AccountClient


def main(arguments: list[str]) -> int:
    """Return the exit status: 0, or 1 if the service does not list them."""
    try:
        account = AccountClient(make_endpoints(read_settings())(arguments[0]))
        document = {"checkpoints": [asdict(checkpoint) for checkpoint in account.list_all_checkpoints()]}
    except (SchedulerError, ServiceError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return 1
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


if __name__ == "__main__":
    logging.getLogger("tinker").setLevel(logging.ERROR)
    sys.exit(main(sys.argv[1:]))
