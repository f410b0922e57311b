"""`python -m scheduler`: the scheduler's own process. The command line for people is `sweep`."""

import logging
import sys

from scheduler.engine.loop import run
from scheduler.errors import SchedulerError
from scheduler.proxies import spare_this_machine
from scheduler.settings import read_settings


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    spare_this_machine()
    try:
        run(read_settings())
    except SchedulerError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
