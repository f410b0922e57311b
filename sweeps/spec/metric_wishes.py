"""Read from a spec which metrics its answer is about, and which way each is better."""

from collections.abc import Collection, Iterable, Mapping

from sweeps.evaluation.metric_prefixes import strip_validation
from sweeps.evaluation.registry import find_metric
from sweeps.spec.sections import Best, MetricWish
from sweeps.stage import Json

Spec = Mapping[str, Json]
MODES = {"lower": "min", "higher": "max"}


def list_wishes(spec: Spec) -> list[MetricWish]:
    """List the metrics that the file names, first to last, with their mode as far as it is known; often there is none.

    The mode is the file's own, that of `best`, or that of a metric whose direction is known.
    """
    listed = spec.get("metrics")
    wishes = [MetricWish.model_validate(wish) for wish in listed] if isinstance(listed, list | tuple) else []
    return [wish if wish.mode else wish.model_copy(update={"mode": _find_mode(spec, wish.metric)}) for wish in wishes]


def _find_mode(spec: Spec, metric: str) -> str | None:
    best = spec.get("best")
    if isinstance(best, Mapping) and strip_validation(str(best["metric"])) == metric:
        return str(best["mode"])
    known = find_metric(metric)
    return MODES[known.better] if known and known.better else None


def list_directed(spec: Spec) -> list[Best]:
    """List the named metrics that something can be the best by."""
    return [Best(metric=wish.metric, mode=wish.mode) for wish in list_wishes(spec) if wish.mode]


def narrow_spec(spec: Spec, metric: str) -> Spec:
    """Narrow a spec to the question about one of its metrics: a target of another metric is no part of it."""
    wish = spec.get("target")
    left_out = {"target"} if isinstance(wish, Mapping) and wish["metric"] != metric else set()
    named: Json = [wish.model_dump() for wish in list_wishes(spec) if wish.metric == metric]
    return {**{key: value for key, value in spec.items() if key not in left_out}, "metrics": named}


def split_spec(spec: Spec) -> list[Spec]:
    """Split a spec into its questions, one for each metric that it names; it is its own question if it names none."""
    return [narrow_spec(spec, wish.metric) for wish in list_wishes(spec)] or [spec]


def choose_shown(spec: Spec, metrics: Collection[str]) -> list[str]:
    """Choose the metrics that tables and pictures show: those that the file names, first to last, else the main ones.

    A metric is also shown under the name of a data set or test set before it: nll as code.nll and source.nll.
    """
    named = [wish.metric for wish in list_wishes(spec)]
    if picked := _pick_metrics(spec, named, metrics):
        return picked
    leading = {*_pick_metrics(spec, list_leading(spec), metrics)}
    ordered = order_metrics(spec, metrics)
    return [metric for metric in ordered if metric in leading or not _is_detail(metric)] or ordered


def _is_detail(metric: str) -> bool:
    known = find_metric(metric)
    return known is not None and known.detail


def order_metrics(spec: Spec, metrics: Iterable[str]) -> list[str]:
    """Put the metrics that the answer is about first: those that the file names, else that of its target or `best`."""
    listed = list(metrics)
    return list(dict.fromkeys([*_pick_metrics(spec, list_leading(spec), listed), *listed]))


def list_leading(spec: Spec) -> list[str]:
    """List the metrics that the answer is about: those that the file names, else that of its target or of `best`."""
    wishes = (spec.get("target"), spec.get("best"))
    asked = [strip_validation(str(wish["metric"])) for wish in wishes if isinstance(wish, Mapping)]
    return [wish.metric for wish in list_wishes(spec)] or asked[:1]


def _pick_metrics(spec: Spec, names: Iterable[str], metrics: Collection[str]) -> list[str]:
    """Pick the metrics with these names, also behind that of a data set or a test set, in the order of the names."""
    labels = _list_labels(spec)

    def is_of(metric: str, name: str) -> bool:
        other = tuple(f".{label}.{name}" for label in labels)  # the same metric of another evaluation
        return metric == name or (metric.endswith(f".{name}") and not f".{metric}".endswith(other))

    return list(dict.fromkeys(metric for name in names for metric in metrics if is_of(metric, name)))


def _list_labels(spec: Spec) -> list[str]:
    """List the names of the user's around evaluations."""
    asked = spec.get("evaluate")
    listed = asked if isinstance(asked, list | tuple) else ()
    return [
        str(evaluation["label"]) for evaluation in listed if isinstance(evaluation, Mapping) and evaluation.get("label")
    ]


def is_directed(metric: str) -> bool:
    """Whether it is known which way a metric is better."""
    known = find_metric(metric)
    return bool(known and known.better)


def ask_direction(metric: str) -> str:
    """Say how a file can rank by a metric of which no direction is known."""
    ways = f"{{{metric}: min}} or {{{metric}: max}}"
    return f"which way is better is not known: write {ways} under `metrics` to rank by it"
