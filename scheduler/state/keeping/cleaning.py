"""Clean up once: complete removals, keep answers, archive old sweeps, and delete what is kept no longer.

Each step looks at the state again, so it may be interrupted and repeated, and two cleanings at once do no harm.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from scheduler.artefacts import Artefacts
from scheduler.errors import SchedulerError
from scheduler.state import keys
from scheduler.state.bug_log import NOBODY, record_bug
from scheduler.state.keeping.kept_answers import keep_answer
from scheduler.state.keeping.removal import NotEnded, archive_sweep, drop_details
from scheduler.state.keeping.retention import DAY, Retention
from scheduler.state.keeping.stage_files import clean_stage_files, clean_uploads
from scheduler.state.pages import read_in_pages
from scheduler.state.states import ENDED_SWEEPS, FINISHED
from scheduler.state.store import Store
from sweeps.errors import SweepsError

PAGE = 200  # stages in one verb
SECOND = 1000
EVERY = DAY  # seconds between two cleanings
PATIENCE = 3600.0  # seconds after which another process may clean up in place of one that died
DUTY = keys.CLEANER.removeprefix(keys.PREFIX)


def take_duty_if_due(store: Store, who: str) -> bool:
    """Take the duty to clean up, if the last cleaning is a day ago and no other process is at it."""
    last = float(store.client.hget(keys.CLEANED, "at") or 0)
    if store.scripts.read_time() - last < EVERY * SECOND:
        return False
    return bool(store.scripts.run("take_duty", who, round(PATIENCE * SECOND), DUTY))


def give_up_duty(store: Store, who: str) -> None:
    """Let another process clean up when it is due again."""
    store.scripts.run("take_duty", who, 0, DUTY)


@dataclass
class Cleaned:
    """What a cleaning did."""

    removed: int = 0  # sweeps whose removal was completed
    answers: int = 0  # answers kept
    archived: int = 0  # sweeps
    stages: int = 0  # deleted in Redis
    events: int = 0  # stages that lost their events
    curves: int = 0  # stages that lost their curve
    checkpoints: int = 0  # stages whose checkpoints are deleted at the service
    files: int = 0
    bytes: int = 0


class Cleaning:
    """Cleans up in one state and its artefact store, which lies at `url`."""

    def __init__(self, store: Store, url: str, keep: Retention) -> None:
        self._store = store
        self._url = url
        self._artefacts = Artefacts(url)
        self._keep = keep

    def run(self) -> Cleaned:
        """Clean up now, and note when and what."""
        now, done = self._read_now(), Cleaned()
        for name in self._store.client.zrange(keys.SWEEPS, 0, -1):
            try:
                self._clean_sweep(name, now, done)
            except (ArithmeticError, LookupError, SchedulerError, SweepsError, TypeError, ValueError) as error:
                record_bug(self._store, error, f"the cleaning of {name}", affected=NOBODY)  # the others are cleaned
        done.events = self._trim("events", now - self._keep.events)
        done.curves = self._trim("curve", now - self._keep.curves)
        done.checkpoints = self._trim("checkpoints", now - self._keep.checkpoints)
        freed = clean_stage_files(self._store, self._artefacts, self._keep, now)
        sent = clean_uploads(self._artefacts, self._keep, now)
        done.files, done.bytes = freed.files + sent.files, freed.bytes + sent.bytes
        self._store.client.hset(keys.CLEANED, mapping={"at": round(now * SECOND), **asdict(done)})
        return done

    def _read_now(self) -> float:
        return self._store.scripts.read_time() / SECOND

    def _clean_sweep(self, name: str, now: float, done: Cleaned) -> None:
        client, fields = self._store.client, ["state", "since", "removing", "archived"]
        state, since, removing, archived = client.hmget(keys.sweep(name), fields)
        if removing or (archived and client.exists(keys.sweep_runs(name), keys.sweep_stages(name))):
            done.stages += drop_details(self._store, name)
            done.removed += bool(removing)
        age = now - int(since or 0) / SECOND
        if removing or archived or state not in ENDED_SWEEPS or age < self._keep.answers:
            return
        if not client.exists(keys.sweep_answer(name)):
            done.answers += keep_answer(self._store, self._artefacts, name, self._url)
        if age < self._keep.stages or self._has_checkpoints(name, now):
            return
        try:
            done.stages += archive_sweep(self._store, name)
            done.archived += 1
        except NotEnded:
            return  # it was opened again meanwhile

    def _has_checkpoints(self, name: str, now: float) -> bool:
        """Does a stage of the sweep have a checkpoint that has not lived as long as its file wants?"""
        stages: Sequence[str] = self._store.client.zrange(keys.sweep_stages(name), 0, -1)
        client = self._store.client
        newest = read_in_pages(client, stages, lambda pipe, stage: pipe.lrange(keys.checkpoints(stage), -1, -1))
        days = {stage: float(json.loads(texts[0]).get("ttl_days") or 0) for stage, texts in newest if texts}
        times = read_in_pages(client, list(days), lambda pipe, stage: pipe.hget(keys.stage(stage), "since"))
        return any(int(since or 0) / SECOND + days[stage] * DAY > now for stage, since in times)

    def _trim(self, what: str, before: float) -> int:
        """Delete one kind of detail of all stages that ended before a time; return how many had it."""
        if not math.isfinite(before):
            return 0
        moment, run = round(before * SECOND), self._store.scripts.run
        return sum(int(run("trim_stages", what, moment, *page)) for page in self._list_pages(what, moment))

    def _list_pages(self, what: str, before: int) -> Iterator[list[str]]:
        """List stages that ended before a time and have such a detail, page by page."""
        for state in sorted(FINISHED):
            ended = self._store.client.zrange(keys.state(state), 0, -1, withscores=True)
            stages = [stage for stage, at in ended if at <= before]
            for start in range(0, len(stages), PAGE):
                if chosen := self._select(what, stages[start : start + PAGE]):
                    yield chosen

    def _select(self, what: str, stages: Sequence[str]) -> list[str]:
        """Select the stages that have such a detail."""
        pipe = self._store.client.pipeline(transaction=False)
        for stage in stages:
            if what == "events":
                pipe.hexists(keys.stage(stage), what)
            else:
                pipe.exists(keys.curve(stage) if what == "curve" else keys.checkpoints(stage))
        return [stage for stage, there in zip(stages, pipe.execute(), strict=True) if there]
