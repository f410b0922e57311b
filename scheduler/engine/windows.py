"""Open and close the windows of sweeps, and cancel sweeps whose deadline has passed, when that is due."""

import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from scheduler.state import keys
from scheduler.state.bug_log import run_isolated
from scheduler.state.milliseconds import read_moment, write_moment
from scheduler.state.store import Store
from sweeps.spec.sections import Window
from sweeps.spec.window import find_window_state

LATER = timedelta(minutes=10)
FIELDS = ["state", "window", "deadline"]

log = logging.getLogger(__name__)


def keep_windows(store: Store, most: int = 100) -> int:
    """Look at the sweeps that are due, and return how many there were."""
    due = store.scripts.run("read_due", keys.WINDOWS, most)
    for sweep in due:
        row = dict(zip(FIELDS, store.client.hmget(keys.sweep(sweep), FIELDS), strict=True))
        run_isolated(store, partial(_set_window, store, sweep, row), None, affected=sweep)
    return len(due)


def _set_window(store: Store, sweep: str, row: Mapping[str, str | None]) -> None:
    now = store.read_now()
    deadline = read_moment(row["deadline"]) if row["deadline"] else None
    if deadline is not None and deadline <= now:
        why = f"its deadline passed ({deadline:%Y-%m-%d %H:%M} UTC)"
        store.scripts.run("cancel_sweep", sweep, why, row["deadline"] or "")
        return
    if not row["window"]:
        store.scripts.run("set_window", sweep, 1, write_moment(deadline) if deadline else "", "")
        return
    try:
        window = Window.model_validate(json.loads(row["window"]))
    except ValueError as error:  # this machine may know fewer time zones than the one that submitted it
        log.error("cannot read the window of sweep %s, so it stays closed: %s", sweep, error)  # noqa: TRY400
        store.scripts.run("set_window", sweep, 0, write_moment(now + LATER), "the scheduler cannot read it")
        return
    state = find_window_state(window, now)
    again = min(state.until, deadline) if deadline else state.until
    store.scripts.run("set_window", sweep, int(state.open), write_moment(again), f"{window.daily} {window.tz}")
