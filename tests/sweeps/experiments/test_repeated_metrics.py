"""A metric that equals another one in every run is no second finding."""

from sweeps.experiments.repeated_metrics import drop_repeated_metrics, find_repeated_metrics
from sweeps.results import RunResult
from sweeps.spec.metric_wishes import list_wishes
from sweeps.stage import Json

SPEC: dict[str, Json] = {
    "metrics": [
        {"metric": name, "mode": "max"} for name in ("accuracy", "style.accuracy", "reward", "compile.accuracy")
    ]
}


def make_runs(*values: tuple[float, float, float]) -> list[RunResult]:
    names = ("accuracy", "style.accuracy", "compile.accuracy")
    return [RunResult({}, seed, "succeeded", dict(zip(names, row, strict=True))) for seed, row in enumerate(values)]


def test_equal_in_every_run_is_one_finding() -> None:
    rows = make_runs((0.5, 0.75, 0.5), (0.25, 0.25, 0.25))
    assert find_repeated_metrics(SPEC, rows) == {"compile.accuracy": "accuracy"}
    assert [wish.metric for wish in list_wishes(drop_repeated_metrics(SPEC, rows))] == [
        "accuracy",
        "style.accuracy",
        "reward",
    ]


def test_one_run_or_one_difference_is_not_enough_and_a_target_stays() -> None:
    assert find_repeated_metrics(SPEC, make_runs((0.5, 0.5, 0.5))) == {}
    assert find_repeated_metrics(SPEC, make_runs((0.5, 0.6, 0.5), (0.25, 0.3, 0.26))) == {}
    goal: dict[str, Json] = {"target": {"metric": "compile.accuracy", "above": 0.6}}
    assert find_repeated_metrics(SPEC | goal, make_runs((0.5, 0.6, 0.5), (0.2, 0.3, 0.2))) == {}
