"""Fits, intervals and the report of 1,000 runs."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.row import Row
from scheduler import report_inputs
from scheduler.state.store import Store
from sweeps.report.compose import compose
from sweeps.report.html import render_html
from tests.scheduler.reported import large, lay
from tests.support import redis_server

TIMES = 3


def measure() -> list[Row]:
    """Read them out of Redis, answer, and write the page, each time anew."""
    took = list[float]()
    with TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        store = Store(server.client())
        lay(store, large())
        for _ in range(TIMES):
            began = time.monotonic()
            store_url = str(Path(folder) / "store")
            known = report_inputs.gather_inputs(store, "large", round(time.time() * 1000), url=store_url)
            page = render_html(compose(known), report_inputs.read_style())
            took.append(time.monotonic() - began)
            assert len(known.rows) == 1000
            assert len(page) > 100_000
    return [Row(what="fits, intervals and report of 1,000 runs", unit="s", ours=took, most=5)]
