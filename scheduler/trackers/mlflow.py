"""MLflow: an experiment for each sweep, in which a tag knows each run.

The server names runs itself, so they are looked up once, in pages, by that tag. What a run holds is asked of it only
when the tag of its content says that it has changed.
"""

import os
import re
from collections.abc import Iterator, Mapping
from itertools import islice

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from scheduler.errors import TrackerUnusable
from sweeps.report.tracker_runs import TrackedRun

RUN, CONTENT = "sweep.run", "sweep.content"  # the tags by which a run, and what was told of it, are known again
PAGE = 1000  # as many as a server answers at once
METRICS, PARAMS = 900, 100  # as many as a server takes at once
LONGEST = 6000  # characters of a parameter, as of a tag
STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "skipped": "KILLED", "cancelled": "KILLED", "running": "RUNNING"}


class MLflow:
    """One experiment, which is made if it is not there."""

    def __init__(self, client: MlflowClient, sweep: str, where: str) -> None:
        self._client = client
        self._experiment = _experiment(client, sweep)
        self._known = {run.data.tags[RUN]: run for run in _runs(client, self._experiment) if RUN in run.data.tags}
        self.where = f"the experiment {sweep!r} at {where}"

    def put(self, run: TrackedRun) -> bool:
        known = self._known.get(run.id)
        if known is not None and known.data.tags.get(CONTENT) == run.content:
            return False
        try:
            self._write_run(run, known or self._create_run(run), fresh=known is None)
        except MlflowException as error:
            raise TrackerUnusable(f"MLflow does not take {run.name}: {_without_login(error.message)}") from None
        return True

    def _create_run(self, run: TrackedRun) -> Run:
        tags = {RUN: run.id, **{key: value[:LONGEST] for key, value in run.tags.items()}}
        return self._client.create_run(self._experiment, start_time=run.began, tags=tags, run_name=run.name)

    def _write_run(self, run: TrackedRun, known: Run, *, fresh: bool) -> None:
        """The tag of the content comes last: if we are cut off, all of it is looked at again."""
        there = known.info.run_id
        params = (
            Param(_plain(key), str(value)[:LONGEST])
            for key, value in run.config.items()
            if _plain(key) not in known.data.params
        )
        while some := list(islice(params, PARAMS)):
            self._client.log_batch(there, params=some)
        metrics = iter([*self._new_points(run, there, fresh=fresh), *_changed_metrics(run, known.data.metrics)])
        while page := list(islice(metrics, METRICS)):
            self._client.log_batch(there, metrics=page)
        told = {"state": run.state, "cause": run.cause, CONTENT: run.content}
        self._client.log_batch(there, tags=[RunTag(key, value[:LONGEST]) for key, value in told.items()])
        if run.ended:
            self._client.set_terminated(there, status=STATUS[run.state], end_time=run.since)
        else:
            self._client.update_run(there, status=STATUS.get(run.state, "SCHEDULED"))

    def _new_points(self, run: TrackedRun, there: str, *, fresh: bool) -> list[Metric]:
        """The points behind the last one that is there."""
        names = dict.fromkeys(point.metric for point in run.points)
        last = {name: 0 if fresh else self._last_step(there, name) for name in names}
        return [
            Metric(_plain(metric), value, at, step) for metric, step, value, at in run.points if step > last[metric]
        ]

    def _last_step(self, there: str, name: str) -> int:
        return max((point.step for point in self._client.get_metric_history(there, _plain(name))), default=0)


def open_at(where: str, sweep: str) -> MLflow:
    """A tracking server or store by its URI; the one that the environment names if none is given."""
    uri = where or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise TrackerUnusable("--to mlflow: where to? --to mlflow:http://… or MLFLOW_TRACKING_URI is right")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines for each run, among ours
    try:
        return MLflow(MlflowClient(uri, registry_uri=uri), sweep, _without_login(uri))
    except MlflowException as error:
        said = _without_login(error.message)
        raise TrackerUnusable(f"MLflow at {_without_login(uri)} cannot be used: {said}") from None


def _experiment(client: MlflowClient, sweep: str) -> str:
    there = client.get_experiment_by_name(sweep)
    if there is None:
        return str(client.create_experiment(sweep))
    if there.lifecycle_stage != "active":
        raise TrackerUnusable(f"MLflow: the experiment {sweep!r} was deleted there; restore it, or remove it for good")
    return str(there.experiment_id)


def _runs(client: MlflowClient, experiment: str) -> Iterator[Run]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=PAGE, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _changed_metrics(run: TrackedRun, known: Mapping[str, float]) -> list[Metric]:
    """What is summed up, where it is not there yet or was another number."""
    return [
        Metric(_plain(name), value, run.since, run.last)
        for name, value in run.summary.items()
        if not _is_same(known.get(_plain(name)), value)
    ]


def _is_same(one: float | None, other: float) -> bool:
    return one is not None and (one == other or (one != one and other != other))  # noqa: PLR0124 - two that are no number


def _plain(name: str) -> str:
    """A name of the letters that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def _without_login(text: str) -> str:
    """Addresses without the name and the password that may stand in them."""
    return re.sub(r"//[^/@\s]*@", "//", text)
