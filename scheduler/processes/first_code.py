"""The first code of the command `sweep`: from its first line on, Ctrl-C ends it without a traceback.

The command line takes some tenths of a second to import, so nothing is imported before the handler is in place.
"""

import os
import signal

STOPPED, MESSAGE = 130, b"Stopped. The same command can be run again.\n"


def main() -> None:
    """Run the command line. It always ends with SystemExit, or ends the process."""
    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # in the background they may be ignored
    if interrupts:
        signal.signal(signal.SIGINT, end_now)
    from scheduler.cli import main as run_command_line

    try:
        if interrupts:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run_command_line()
    except KeyboardInterrupt:
        end_now()


def end_now(*_: object) -> None:
    """End the process: it has done nothing yet, and an exception within an import can become another one."""
    os.write(2, MESSAGE)
    os._exit(STOPPED)
