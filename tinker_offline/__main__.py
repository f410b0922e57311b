"""Run the server: python -m tinker_offline --port N --state DIR

Reads and writes the state and cache folders, and listens on one port.
"""

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from tinker_offline.faults.accidents import Faults


class OfflineServer(uvicorn.Server):
    """Starts the scenario, if there is one, before the first request, and prints its address when it listens."""

    def __init__(self, config: uvicorn.Config, begin: Callable[[], None]) -> None:
        super().__init__(config)
        self._begin = begin

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._begin()
        await super().startup(sockets)
        if sockets and self.started:
            host, port = sockets[0].getsockname()[:2]
            print(f"tinker_offline listening on http://{host}:{port}", flush=True)  # noqa: T201 (the program's output)


def main() -> int:
    """Run the server until SIGTERM or SIGINT; return the exit status."""
    options = _parse_options()
    if options.check:
        return _check(options.check)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # before numpy is imported: one thread, so that the order of sums is fixed
    from tinker_offline.faults.accidents import FaultsInvalid
    from tinker_offline.faults.scenario import Scenario
    from tinker_offline.routes import create_app
    from tinker_offline.service import Service

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        faults = _read_faults(options.faults)
        listener = _listen(options.host, options.port)
        service = Service(options.state, options.cache or options.state / "bases")
    except FaultsInvalid as invalid:
        return _print_error(f"{options.faults} is not a valid fault document:\n{invalid}", 2)
    except OSError as error:
        return _print_error(
            f"cannot start on {options.host}:{options.port} with state folder {options.state}: {error}", 1
        )
    scenario = Scenario(service) if options.control or options.faults else None
    config = _make_config(
        create_app(service, options.refuse_key, scenario, control=options.control), breakable=bool(scenario)
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn stops on these signals and raises them again afterwards
    OfflineServer(config, begin=lambda: scenario.set(faults) if scenario else None).run(sockets=[listener])
    service.futures.close()
    return 0


def _check(path: Path) -> int:
    """Check a fault document without starting anything; return the exit status."""
    from tinker_offline.faults.accidents import FaultsInvalid

    try:
        _read_faults(path)
    except FaultsInvalid as invalid:
        return _print_error(f"{path} is not a valid fault document:\n{invalid}", 2)
    return 0


def _read_faults(path: Path | None) -> "Faults":
    """Read a fault document. Raises FaultsInvalid, also if the file cannot be read."""
    from tinker_offline.faults.accidents import Faults, FaultsInvalid, read_faults
    from tinker_offline.routes import list_paths

    try:
        return Faults() if path is None else read_faults(path.read_text(encoding="utf-8"), list_paths())
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise FaultsInvalid(f"it cannot be read: {cause}") from None


def _make_config(app: "Starlette", *, breakable: bool) -> uvicorn.Config:
    from tinker_offline.faults.fault_middleware import BreakableConnection

    return uvicorn.Config(
        app,
        http=BreakableConnection if breakable else "httptools",
        lifespan="off",
        proxy_headers=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )


def _print_error(message: str, status: int) -> int:
    print(f"Error: {message}", file=sys.stderr)  # noqa: T201 (the program's output)
    return status


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tinker_offline", description="Serve the Tinker protocol offline, with small real models."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="the port (0: a free one)")
    parser.add_argument("--state", type=Path, help="the folder of checkpoints, usage and sessions")
    parser.add_argument("--cache", type=Path, help="the folder of the frozen bases (default: STATE/bases)")
    parser.add_argument("--refuse-key", action="append", default=[], metavar="KEY", help="answer 401 to this API key")
    parser.add_argument(
        "--faults", type=Path, metavar="FILE", help="a fault document that is active from the start (YAML or JSON)"
    )
    parser.add_argument(
        "--control", action="store_true", help="offer /offline/ to change the faults while the server runs"
    )
    parser.add_argument("--check", type=Path, metavar="FILE", help="check a fault document and exit")
    options = parser.parse_args()
    if not options.check and (options.port is None or options.state is None):
        parser.error("expected --port and --state, or --check")
    return options


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


if __name__ == "__main__":
    sys.exit(main())
