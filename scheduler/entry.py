"""The entry point of `sweep`. It loads the command line itself, so that Ctrl-C while it loads prints no traceback."""

import sys
from typing import NoReturn

INTERRUPTED = 130  # the exit status after Ctrl-C


def main() -> NoReturn:
    try:
        from scheduler.cli import main as run_command
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. The same command can be run again.\n")
        sys.exit(INTERRUPTED)
    run_command()
