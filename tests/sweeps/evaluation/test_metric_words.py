"""Every metric has a line that says what it means, and only the main ones are shown unless a file names others."""

from sweeps.evaluation.metric_words import MEANINGS, explain_metrics
from sweeps.evaluation.registry import METRICS
from sweeps.spec.metric_wishes import choose_shown

MEASURED = ["nll", "bits_per_byte", "validation.accuracy", "accuracy", "ece", "cut_answers", "pulse.mine"]


def test_every_metric_of_an_evaluator_is_explained() -> None:
    assert set(explain_metrics(METRICS)) == set(METRICS)
    assert set(MEANINGS) <= set(METRICS)
    assert set(explain_metrics(["validation.f1_cat", "hospital.ece", "episode.fuel"])) == {"f1_cat", "ece"}


def test_what_only_the_user_knows_is_explained_by_their_code() -> None:
    evaluate = [
        {"name": "answers", "label": "behaviour", "check": "line_checks:behaves"},
        {"name": "answers", "check": "choice"},
        {"name": "task_completion", "environment": "markets.calm:Market"},
        {"name": "task_completion", "label": "crisis", "environment": "markets.calm:Crisis"},
    ]
    names = ["behaviour.accuracy", "accuracy", "episode.turnover", "validation.crisis.episode.drawdown"]
    words = explain_metrics(names, {"evaluate": evaluate})
    assert list(words) == ["behaviour.accuracy", "accuracy", "episode.turnover", "episode.drawdown"]
    assert "line_checks.py" in words["behaviour.accuracy"]
    assert words["accuracy"] == MEANINGS["accuracy"]
    assert "`Market`" in words["episode.turnover"]
    assert "`Crisis`" in words["episode.drawdown"]


def test_the_metrics_of_a_check_of_citations_are_explained_by_what_it_counts_and_what_is_read() -> None:
    checks = {
        "cites": "sweeps.metrics.citations:precision",
        "finds": "sweeps.metrics.citations:recall",
        "own": "my:say",
    }
    evaluate = [{"name": "rag"}, *({"name": "rag", "label": label, "check": check} for label, check in checks.items())]
    words = explain_metrics(
        ["mixed", "cites.mixed", "finds.mixed", "cites.abstention", "own.mixed"], {"evaluate": evaluate}
    )
    assert words["mixed"] == MEANINGS["mixed"]
    assert len({*words.values()}) == len(words) == 5
    assert words["cites.mixed"].partition("; ")[2] == words["finds.mixed"].partition("; ")[2]
    assert "`say` in my.py" in words["own.mixed"]


def test_abstention_and_false_answers_say_that_they_read_other_passages() -> None:
    """One reads a single passage and the other all distractors, so they need not add up to 1."""
    assert "one passage" in MEANINGS["abstention"]
    assert "another prompt" in MEANINGS["false_answers"]


def test_details_are_shown_where_the_file_names_them() -> None:
    shown = choose_shown({}, MEASURED)
    assert shown == ["nll", "validation.accuracy", "accuracy", "pulse.mine"]
    assert choose_shown({"best": {"metric": "ece", "mode": "min"}}, MEASURED) == ["ece", *shown]
    assert choose_shown({"metrics": [{"metric": "cut_answers"}]}, MEASURED) == ["cut_answers"]
    assert choose_shown({}, ["ece", "cut_answers"]) == ["ece", "cut_answers"], "nothing else was measured"
