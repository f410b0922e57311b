"""Decide what follows when all stages of a sweep with `until` have ended: append the next round, or end the sweep.

A thread of the scheduler, because fits take up to a second and the tick waits for nothing. What follows is a pure
function of what the state holds (`sweeps/planning/rounds`), and the verb that writes it checks that nothing followed
yet. So any number of schedulers may decide at once, and one that dies has done all of it or nothing.
"""

import logging
import threading
from dataclasses import replace

from scheduler.state import keys, views
from scheduler.state.bug_log import NOBODY, record_bug
from scheduler.state.connection import Away
from scheduler.state.runs.round_store import KnownRounds, append_round, read_held_runs, read_rounds, stop_rounds
from scheduler.state.states import SweepState
from scheduler.state.store import Store
from scheduler.state.views import SweepView

LOOK = 0.2  # seconds between two looks for sweeps that are due
TROUBLE = 5.0  # seconds until the next look while something fails
DUTY = 3_000  # milliseconds for which one scheduler decides alone; it saves the others the work, and delays a successor
UNREADABLE = "items of evaluations cannot be read from the artefact store"
DECIDER = keys.ROUND_DECIDER.removeprefix(keys.PREFIX)

log = logging.getLogger(__name__)


class RoundKeeper:
    """One thread that looks for sweeps whose round is over."""

    def __init__(self, store: Store, name: str, url: str) -> None:
        """`name` is that of this scheduler; items of evaluations lie at `url`."""
        self._store = store
        self._name = name
        self._url = url
        self._left = threading.Event()

    def start(self) -> None:
        """Start looking. If the process ends, another scheduler decides."""
        threading.Thread(target=self._keep, name="round-keeper", daemon=True).start()

    def stop(self) -> None:
        """Decide nothing more. Does not wait for what is being decided."""
        self._left.set()

    def decide_due(self) -> int:
        """Decide for every sweep that is due. Return how many were decided; the others wait for the artefact store."""
        due = self._store.client.zrange(keys.ROUNDS_DUE, 0, -1)
        if not due or not self._store.scripts.run("take_duty", self._name, DUTY, DECIDER):
            return 0
        return sum(decide_round(self._store, self._url, sweep) for sweep in due)

    def _keep(self) -> None:
        wait = LOOK
        while not self._left.wait(wait):
            try:
                waits = self._store.client.zcard(keys.ROUNDS_DUE)
                wait = LOOK if self.decide_due() or not waits else TROUBLE
            except Away as error:
                log.warning("rounds wait: Redis does not answer (%s)", error)
                wait = TROUBLE
            except Exception as error:  # noqa: BLE001 - sweeps without `until` do not depend on it
                record_bug(self._store, error, "rounds", affected=NOBODY)
                wait = TROUBLE


def decide_round(store: Store, url: str, name: str) -> bool:
    """Decide what follows the rounds of one sweep, and write it. Return False if it has to wait."""
    view, rounds = views.read_sweep(store, name), read_rounds(store, name)
    if rounds is None or view.state == SweepState.PAUSED:
        return False
    if view.state == SweepState.ACTIVE and not _can_read_items(store, url, view):
        store.client.hset(keys.sweep(name), mapping={"rounds_wait": UNREADABLE})
        return False
    answer = _write_next(store, url, view, rounds)
    log.info("%s: after %d appended rounds: %s", name, rounds.count, answer)
    return True


def _write_next(store: Store, url: str, view: SweepView, rounds: KnownRounds) -> str:
    from scheduler.state.answer_inputs import read_answer_inputs  # the statistics, which only this step needs
    from sweeps.planning.rounds.held_runs import list_candidates, name_held
    from sweeps.planning.rounds.next_round import RoundsEnd, SweepProgress
    from sweeps.planning.rounds.round_designs import choose_round

    name = view.name
    spec = {**view.spec, "until": dict(rounds.until)}
    material = read_answer_inputs(store, replace(view, spec=spec), views.read_results(store, name), url)
    held = read_held_runs(store, name)
    progress = SweepProgress(spec, list_candidates(held), material.rows, material.items)
    following = choose_round(progress)
    if isinstance(following, RoundsEnd):
        return stop_rounds(store, name, rounds.count, following.document())
    named = {name_held(run): run for run in held}
    return append_round(store, name, rounds.count, [named[run.key] for run in following.runs], following.document())


def _can_read_items(store: Store, url: str, view: SweepView) -> bool:
    """Say whether the store answers, and has some of the items that evaluations kept: else what follows would differ.

    A single file that is lost, or was cleaned up, is nothing to wait for.
    """
    from scheduler.artefacts import Artefacts
    from scheduler.errors import ArtefactError
    from scheduler.state.evaluation_items import find_items_files

    stages = [stage for stage in views.list_stages(store, view.name) if stage.startswith("evaluate-")]
    paths = [file.path for file in find_items_files(store, stages).values()]
    try:
        artefacts = Artefacts(url)
        return not paths or any(artefacts.find_size(path) is not None for path in paths)
    except ArtefactError:
        return False
