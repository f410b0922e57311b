"""Send runs to MLflow: one experiment for each sweep, with a tag that identifies each run.

The server chooses the ids of runs, so we list them once, in pages, and find ours by that tag. We read a run's metrics
only if the tag of its content says that it changed.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping
from itertools import islice

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from scheduler.errors import TrackerUnusable
from sweeps.report.tracker_runs import TrackedRun

RUN, CONTENT = "sweep.run", "sweep.content"  # tags: the run, and a hash of what was sent of it
PAGE = 1000  # as many as a server answers at once
METRICS, PARAMS = 900, 100  # as many as a server takes at once
LONGEST = 6000  # characters of a parameter, as of a tag
STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "skipped": "KILLED", "cancelled": "KILLED", "running": "RUNNING"}


class MLflow:
    """One experiment, created if it does not exist."""

    def __init__(self, client: MlflowClient, sweep: str, where: str) -> None:
        self._client = client
        self._experiment = _find_experiment(client, sweep)
        self._known = {run.data.tags[RUN]: run for run in _list_runs(client, self._experiment) if RUN in run.data.tags}
        self.where = f"the experiment {sweep!r} at {where}"

    def put(self, run: TrackedRun) -> bool:
        known = self._known.get(run.id)
        if known is not None and known.data.tags.get(CONTENT) == run.content:
            return False
        try:
            self._write_run(run, known or self._create_run(run), fresh=known is None)
        except MlflowException as error:
            raise TrackerUnusable(f"MLflow refuses {run.name}: {_strip_login(error.message)}") from None
        return True

    def _create_run(self, run: TrackedRun) -> Run:
        tags = {RUN: run.id, **{key: value[:LONGEST] for key, value in run.tags.items()}}
        return self._client.create_run(self._experiment, start_time=run.began, tags=tags, run_name=run.name)

    def _write_run(self, run: TrackedRun, known: Run, *, fresh: bool) -> None:
        """Write the content tag last: if we are interrupted, the next export looks at the whole run again."""
        there = known.info.run_id
        params = (
            Param(_clean_name(key), str(value)[:LONGEST])
            for key, value in run.config.items()
            if _clean_name(key) not in known.data.params
        )
        while some := list(islice(params, PARAMS)):
            self._client.log_batch(there, params=some)
        metrics = iter(
            [*self._list_new_points(run, there, fresh=fresh), *_list_changed_metrics(run, known.data.metrics)]
        )
        while page := list(islice(metrics, METRICS)):
            self._client.log_batch(there, metrics=page)
        tags = {**run.texts, CONTENT: run.content}
        self._client.log_batch(there, tags=[RunTag(key, value[:LONGEST]) for key, value in tags.items()])
        if run.ended:
            self._client.set_terminated(there, status=STATUS[run.state], end_time=run.since)
        else:
            self._client.update_run(there, status=STATUS.get(run.state, "SCHEDULED"))

    def _list_new_points(self, run: TrackedRun, there: str, *, fresh: bool) -> list[Metric]:
        """List the points after the last one at the server."""
        names = dict.fromkeys(point.metric for point in run.points)
        last = {name: 0 if fresh else self._find_last_step(there, name) for name in names}
        return [
            Metric(_clean_name(metric), value, at, step)
            for metric, step, value, at in run.points
            if step > last[metric]
        ]

    def _find_last_step(self, there: str, name: str) -> int:
        return max((point.step for point in self._client.get_metric_history(there, _clean_name(name))), default=0)


def open_at(where: str, sweep: str) -> MLflow:
    """Open a tracking server or store by its URI; without one, MLFLOW_TRACKING_URI."""
    uri = where or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise TrackerUnusable("--to mlflow: expected a server: --to mlflow:http://…, or set MLFLOW_TRACKING_URI")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines for each run, among ours
    try:
        return MLflow(MlflowClient(uri, registry_uri=uri), sweep, _strip_login(uri))
    except MlflowException as error:
        cause = _strip_login(error.message)
        raise TrackerUnusable(f"cannot use MLflow at {_strip_login(uri)}: {cause}") from None


def _find_experiment(client: MlflowClient, sweep: str) -> str:
    there = client.get_experiment_by_name(sweep)
    if there is None:
        return str(client.create_experiment(sweep))
    if there.lifecycle_stage != "active":
        raise TrackerUnusable(f"MLflow: the experiment {sweep!r} is deleted; restore it, or delete it permanently")
    return str(there.experiment_id)


def _list_runs(client: MlflowClient, experiment: str) -> Iterator[Run]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=PAGE, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _list_changed_metrics(run: TrackedRun, known: Mapping[str, float]) -> list[Metric]:
    """List the summary metrics that the server lacks or has with another value.

    Of two values of one step and time the server shows the larger. So a value that replaces another is of now.
    """
    at = max(run.since, round(time.time() * 1000)) if known else run.since
    return [
        Metric(_clean_name(name), value, at, run.last)
        for name, value in run.summary.items()
        if not _is_same(known.get(_clean_name(name)), value)
    ]


def _is_same(value: float | None, other: float) -> bool:
    return value is not None and (value == other or (value != value and other != other))  # noqa: PLR0124 - two that are no number


def _clean_name(name: str) -> str:
    """Replace the characters that MLflow does not allow in a name."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def _strip_login(text: str) -> str:
    """Remove user and password from addresses."""
    return re.sub(r"//[^/@\s]*@", "//", text)
