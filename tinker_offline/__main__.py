"""python -m tinker_offline --port N --state DIR"""

import argparse
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn


class Server(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets and self.started:
            host, port = sockets[0].getsockname()[:2]
            print(f"tinker_offline listening on http://{host}:{port}", flush=True)  # noqa: T201 (the program's output)


def main() -> int:
    options = _options()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # before numpy is imported below: one thread, so that the order of sums is fixed
    from tinker_offline.app import create_app
    from tinker_offline.service import Service

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        listener = _listen(options.host, options.port)
        service = Service(options.state, options.cache or options.state / "bases")
    except OSError as error:
        print(f"Error: cannot start on {options.host}:{options.port} with {options.state}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    config = uvicorn.Config(
        create_app(service, options.refuse_key),
        http="httptools",
        lifespan="off",
        proxy_headers=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn stops on them, and raises them again when it has
    Server(config).run(sockets=[listener])
    service.futures.close()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tinker_offline", description="Tinker, offline.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one")
    parser.add_argument("--state", type=Path, required=True, help="the folder of checkpoints, usage and sessions")
    parser.add_argument("--cache", type=Path, help="the folder of the frozen bases (default: STATE/bases)")
    parser.add_argument("--refuse-key", action="append", default=[], metavar="KEY", help="answer 401 to this API key")
    return parser.parse_args()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


if __name__ == "__main__":
    sys.exit(main())
