"""`make bench-pages`: what share of a processor twenty live pages take of a sweep that changes each second.

The page is a process of its own, as `sweep up` starts it. Each client does what `web/static/live.js` does: it listens,
and with each new version it asks for the parts of the page that have changed. Fails beyond a limit.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from scheduler.state import keys
from scheduler.state.people.actors import Actor, Scope
from scheduler.state.people.tokens import create_token
from scheduler.state.store import Store
from tests.bench.worker_memory import look_at
from tests.scheduler.reported import large, lay
from tests.support import TRUSTED, redis_server, wait_until
from web.pages.sweep_page import PARTS

PAGES, SECONDS = 20, 20.0
WARM = 5.0  # seconds until all that is computed first is there
LIMIT = 0.10  # of a processor


class LivePage:
    """A browser that looks at the page of the sweep, with a session of its own."""

    def __init__(self, url: str, secret: str) -> None:
        self._guest = httpx.Client(base_url=url, headers={"origin": url}, trust_env=False, timeout=30)
        assert self._guest.post("/login", data={"secret": secret, "next": "/"}).status_code == 303
        self._tags = dict.fromkeys((f"/sweeps/large/parts/{part.name}" for part in PARTS), "")
        self.answers = Counter[int]()  # by status
        self.bytes = 0
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        with (
            suppress(httpx.HTTPError),  # the process ends
            self._guest.stream("GET", "/events", params={"of": "sweep:large"}, timeout=None) as stream,
        ):
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    self._refresh(json.loads(line[5:]).get("parts"))

    def _refresh(self, tags: Mapping[str, str] | None) -> None:
        for path, tag in self._tags.items():
            if tags and tags[path] == tag:
                continue
            with self._guest.stream("GET", path, headers={"if-none-match": f'"{tag}"'}) as answer:
                self.bytes += sum(map(len, answer.iter_raw()))
            self.answers[answer.status_code] += 1
            self._tags[path] = answer.headers["etag"].strip('"')


def measure(store: Store, url: str, pid: int) -> tuple[float, Counter[int], int]:
    """Return the share of a processor that the process took, how it answered, and the bytes of bodies."""
    secret = create_token(store, Actor("ada", "a test"), "look", scope=Scope.READ, user="ada")
    pages = [LivePage(url, secret) for _ in range(PAGES)]
    change(store, WARM)
    before, answered, size = look_at(pid).cpu, count(pages), sum(page.bytes for page in pages)
    began = time.monotonic()
    change(store, SECONDS)
    took = (look_at(pid).cpu - before) / (time.monotonic() - began)
    return took, count(pages) - answered, sum(page.bytes for page in pages) - size


def count(pages: list[LivePage]) -> Counter[int]:
    return sum((page.answers for page in pages), Counter[int]())


def change(store: Store, seconds: float) -> None:
    """Book tokens and a result each second, as stages that run do: progress, cost and a cell change."""
    client: Any = store.client
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        client.hincrby(keys.sweep("large"), "tokens", 1000)
        client.hincrby(keys.sweep("large"), "spent", 1000)
        mean = client.hincrbyfloat(keys.sweep_cells("large"), "0|nll|mean", 0.01)
        client.hset(keys.sweep_cells("large"), mapping={"0|nll|count": 4, "0|nll|m2": 0.01 * float(mean)})
        time.sleep(1)


def main() -> int:
    """Measure, and return the exit status."""
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder), TRUSTED) as server:
        store = Store(server.client())
        lay(store, large(5, 25, 4))
        environment = {"SWEEP_HOME": folder, "REDIS_URL": server.url, "SWEEP_PAGE": "127.0.0.1:0", "PATH": ""}
        command = [sys.executable, "-m", "scheduler.cli", "web"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                url = next(word for line in process.stdout for word in line.split() if word.startswith("http"))
                wait_until(lambda: httpx.get(f"{url}/healthz", trust_env=False).status_code == 200, "the page answers")
                share, answers, size = measure(store, url, process.pid)
            finally:
                process.terminate()
    rate = answers.total() / SECONDS
    verdict = "ok  " if share <= LIMIT else "OVER"
    sys.stdout.write(
        f"{verdict} {PAGES} live pages: {100 * share:.1f} % of a processor (limit {100 * LIMIT:.0f} %); {rate:.0f} "
        f"answers a second {dict(answers)}, {size / max(1, answers[200]):,.0f} bytes each with a body\n"
    )
    return int(share > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
