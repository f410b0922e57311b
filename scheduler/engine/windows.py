"""Open and close the windows of sweeps, and cancel sweeps whose deadline has passed, when that is due."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from scheduler.state import keys
from scheduler.state.bug_log import run_isolated
from scheduler.state.store import Store
from sweeps.spec.sections import Window
from sweeps.spec.window import find_hours

LATER = timedelta(minutes=10)
FIELDS = ["state", "window", "deadline"]

log = logging.getLogger(__name__)


def keep_windows(store: Store, most: int = 100) -> int:
    """Look at the sweeps that are due, and return how many there were."""
    due = store.scripts.run("read_due", keys.WINDOWS, most)
    for sweep in due:
        row = dict(zip(FIELDS, store.client.hmget(keys.sweep(sweep), FIELDS), strict=True))
        run_isolated(store, partial(_set_window, store, sweep, row), None, of=sweep)
    return len(due)


def _set_window(store: Store, sweep: str, row: Mapping[str, str | None]) -> None:
    now, deadline = store.now(), _parse_moment(row["deadline"])
    if deadline is not None and deadline <= now:
        why = f"its deadline passed ({deadline:%Y-%m-%d %H:%M} UTC)"
        store.scripts.run("cancel_sweep", sweep, why, row["deadline"] or "")
        return
    if not row["window"]:
        store.scripts.run("set_window", sweep, 1, _to_milliseconds(deadline), "")
        return
    try:
        window = Window.model_validate(json.loads(row["window"]))
    except ValueError as error:  # this machine may know fewer time zones than the one that submitted it
        log.error("cannot read the window of sweep %s, so it stays closed: %s", sweep, error)  # noqa: TRY400
        store.scripts.run("set_window", sweep, 0, _to_milliseconds(now + LATER), "the scheduler cannot read it")
        return
    hours = find_hours(window, now)
    again = min(hours.until, deadline) if deadline else hours.until
    store.scripts.run("set_window", sweep, int(hours.open), _to_milliseconds(again), f"{window.daily} {window.tz}")


def _parse_moment(milliseconds: str | None) -> datetime | None:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None


def _to_milliseconds(moment: datetime | None) -> int | str:
    """Round up: a sweep that is looked at too early would stay due."""
    return "" if moment is None else -int(-moment.timestamp() * 1000 // 1)
