"""`python -m scheduler`: the scheduler's own process. The command line for people is `sweep`."""

import sys

from scheduler.engine.loop import run
from scheduler.errors import SchedulerError
from scheduler.processes.json_log import start_logging
from scheduler.processes.secret_files import load_secrets
from scheduler.proxies import spare_this_machine
from scheduler.settings import read_settings


def main() -> int:
    spare_this_machine()
    try:
        load_secrets()
        settings = read_settings()
        start_logging(settings.observation.log)
        run(settings)
    except SchedulerError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
