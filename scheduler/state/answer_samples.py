"""Read samples of the answers that the evaluations of a sweep kept, from the artefact store. Writes nothing."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

from scheduler.artefacts import Artefacts, locate_records
from scheduler.errors import ArtefactError, UnknownMetric, UnknownRun
from scheduler.state import views
from scheduler.state.evaluation_items import read_items
from scheduler.state.keeping.archive import open_archive
from scheduler.state.store import Store
from sweeps.analysis.item_analysis import WantedItems
from sweeps.analysis.sampled_answers import (
    ChosenSamples,
    ComparedRuns,
    SamplePicker,
    choose_runs,
    list_asked,
    list_candidates,
    writes_text,
)
from sweeps.analysis.tables import sort_metrics
from sweeps.errors import DataError
from sweeps.evaluation.evaluator import Evaluator
from sweeps.evaluation.metric_prefixes import VALIDATION, get_base_name
from sweeps.evaluation.registry import find_evaluator, find_measure
from sweeps.formatting import format_cell, format_count
from sweeps.records import Records
from sweeps.results import RunResult
from sweeps.spec.scalars import suggest
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key

UNWRITTEN = "`{}` only scores given text, so the model writes no answers. Samples need an evaluation such as `answers`."
EMPTY = Records("text", ())


class WantedSamples(NamedTuple):
    """Which samples are wanted."""

    metric: str | None = None  # None: the first metric of each evaluation
    worst: int = 5
    best: int = 5
    where: Mapping[str, str] = {}  # restricts the runs: the text of a key of the cell, or of `seed`


class EvaluationSamples(NamedTuple):
    """The samples of one evaluation, of one trained run."""

    measure: str
    metric: str
    runs: ComparedRuns
    items: int
    others: int  # trained runs with a value of the metric, beside the one that is shown
    chosen: ChosenSamples
    notes: tuple[str, ...]  # what is missing


class SweepSamples(NamedTuple):
    """The samples of a sweep; `unsampled` says by evaluation why it has none."""

    metrics: Sequence[str]  # one of each evaluation whose models write text, whether it was asked for or not
    evaluations: Sequence[EvaluationSamples]
    unsampled: Mapping[str, str]


def read_samples(store: Store, url: str, name: str, request: WantedSamples) -> SweepSamples:
    """Read the samples of each evaluation of a sweep. Raises UnknownSweep, UnknownMetric and UnknownRun."""
    reader = _SampleReader(store, url, name, request)
    recipes = views.read_recipes(store, list(reader.stages.values()))
    metrics, evaluations, unsampled = [], [], dict[str, str]()
    for measure, stage in reader.stages.items():
        options = _read_options(measure, recipes[stage])
        evaluator = find_evaluator(str(options["name"]), options)
        written = writes_text(evaluator)
        if written:
            metrics += reader.list_metrics(measure, evaluator)[:1]
        if not reader.wants(measure):
            continue
        samples = reader.read(measure, evaluator) if written else UNWRITTEN.format(evaluator.name)
        if isinstance(samples, str):
            unsampled[measure] = samples
        else:
            evaluations.append(samples)
    return SweepSamples(metrics, evaluations, unsampled)


def _list_measures(planned: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """List the evaluations of a sweep, each with one of its stages; those for choices are left out."""
    stages: dict[str, str] = {}
    for row in planned:
        for measure, stage in row["measures"].items():
            if not measure.startswith(VALIDATION):
                stages.setdefault(measure, stage)
    return stages


def _refuse_unknown_runs(planned: Sequence[Mapping[str, Any]], where: Mapping[str, str]) -> None:
    """Raise UnknownRun for a key or a value that no trained run has."""
    known: dict[str, dict[str, None]] = {}
    for row in planned:
        for key, value in {**row["cell"], "seed": row["seed"]}.items() if row["stage"] else ():
            known.setdefault(key, {})[format_cell(key, value)] = None
    for key, text in where.items():
        if key not in known:
            raise UnknownRun(
                f"{key}={text}: expected a condition of a trained run, got {key!r}; {suggest(key, [*known])}"
            )
        if text not in known[key]:
            raise UnknownRun(
                f"{key}={text}: expected a trained run's {key}, got {text!r}; {suggest(text, [*known[key]])}"
            )


def _find_measure(measures: Collection[str], rows: Sequence[RunResult], metric: str) -> str:
    """Find the evaluation of a metric. Raises UnknownMetric."""
    measure = find_measure(metric)
    if measure in measures:
        return str(measure)
    known = sort_metrics({name for row in rows for name in row.metrics})
    raise UnknownMetric(
        f"metric: expected one that this sweep measured, got {metric!r}; "
        f"{suggest(metric, known) if known else 'nothing is measured yet'}"
    )


def _read_options(measure: str, recipe: Mapping[str, Json]) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], recipe.get("evaluator", {"name": get_base_name(measure)}))


class _SampleReader:
    """Reads the samples of one evaluation after the other."""

    def __init__(self, store: Store, url: str, name: str, request: WantedSamples) -> None:
        store = open_archive(store, name)
        self._store, self._url, self._name, self._request = store, url, name, request
        self._rows, self._planned = views.read_results(store, name), views.read_planned_rows(store, name)
        self.stages = _list_measures(self._planned)  # by evaluation, one of them
        _refuse_unknown_runs(self._planned, request.where)
        self._measure = None if request.metric is None else _find_measure(self.stages, self._rows, request.metric)

    def wants(self, measure: str) -> bool:
        return self._measure in (None, measure)

    def list_metrics(self, measure: str, evaluator: Evaluator) -> list[str]:
        """List what an evaluation has measured, as it names it."""
        prefix = measure[: measure.rfind(".") + 1]
        measured = {name for row in self._rows for name in row.metrics}
        return [f"{prefix}{name}" for name in evaluator.metric_names if f"{prefix}{name}" in measured]

    def read(self, measure: str, evaluator: Evaluator) -> EvaluationSamples | str:
        """Return the samples, or say why there are none."""
        metric = self._request.metric or next(iter(self.list_metrics(measure, evaluator)), "")
        runs = choose_runs(self._rows, metric, self._request.where)
        if runs is None:
            return self._explain_missing()
        recipe = self._read_recipe(measure, runs.after)
        after, before, unread = self._read_items(measure, metric, runs)
        if not after:
            return "; ".join(unread) or "its items were not kept"
        records, broken = self._read_records(recipe)
        options = _read_options(measure, recipe)
        picker = SamplePicker(metric, list_asked(evaluator, records, options), list_candidates(evaluator, records))
        chosen = picker.pick(before, after, worst=self._request.worst, best=self._request.best)
        if not (chosen.worst or chosen.best):
            return f"no item has a value of {metric}"
        notes = [*unread, *broken, *self._describe_runs(runs, metric)]
        items, others = len({row.item for row in after}), self._count_runs(metric, measured=True) - 1
        return EvaluationSamples(measure, metric, runs, items, others, chosen, tuple(notes))

    def _read_recipe(self, measure: str, run: RunResult) -> Mapping[str, Json]:
        """Read the recipe of a run's evaluation: another run may have other questions."""
        key = item_key(run.cell, run.seed)
        stage = next(
            str(row["measures"][measure])
            for row in self._planned
            if item_key(row["cell"], row["seed"]) == key and measure in row["measures"]
        )
        return views.read_recipes(self._store, [stage])[stage]

    def _read_items(self, measure: str, metric: str, runs: ComparedRuns) -> tuple[Any, Any, tuple[str, ...]]:
        chosen = [item_key(run.cell, run.seed) for run in (runs.after, runs.before) if run is not None]
        wanted = {measure: WantedItems((metric,), chosen)}
        kept = read_items(self._store, self._url, self._name, wanted, bounded=False)
        items: Items = kept.items.get(measure, {})
        after, *before = (items.get(key, ()) for key in chosen)
        return after, next(iter(before), ()), kept.unread

    def _read_records(self, recipe: Mapping[str, Json]) -> tuple[Records, list[str]]:
        """Read the questions, if the evaluation has a data set."""
        address = recipe.get("items")
        if not isinstance(address, str):
            return EMPTY, []
        try:
            return Records.from_jsonl(Artefacts(self._url).read(locate_records(address)), sha256=address), []
        except (ArtefactError, DataError):
            return EMPTY, [
                f"the questions could not be read ({locate_records(address)}); `sweep doctor` checks the store"
            ]

    def _describe_runs(self, runs: ComparedRuns, metric: str) -> list[str]:
        missing = self._count_runs(metric, measured=False)
        notes = [] if runs.before else ["the model before training has no result of this evaluation"]
        return notes + ([f"{format_count(missing, 'trained run')} not measured yet, or failed"] if missing else [])

    def _count_runs(self, metric: str, *, measured: bool) -> int:
        return sum(row.stage is not None and (metric in row.metrics) is measured for row in self._rows)

    def _explain_missing(self) -> str:
        """Say why no trained run is measured."""
        if self._request.where:
            asked = " ".join(f"{key}={text}" for key, text in self._request.where.items())
            return f"no trained run that is measured has {asked}; `sweep results {self._name}` lists the conditions"
        states = Counter(row.state for row in self._rows if row.stage is not None)
        return f"no trained run is measured yet ({', '.join(f'{count} {state}' for state, count in states.items())})"
