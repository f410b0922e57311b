"""Answers about published curves: a few of them, asked as `make bench-curves` asks all."""

from tests.bench.curves import choose_few, judge_curves
from tests.published.curves_table import count_curves, read_curves
from tests.published.held_tally import read_baseline, tally_sources
from tests.published.questions_asked import HORIZONS, list_questions


def test_the_table_has_ascending_sizes_and_positive_losses() -> None:
    curves = read_curves()
    assert len({(curve.source, curve.name) for curve in curves}) == len(curves)
    for curve in curves:
        assert len(curve.sizes) == len(curve.losses) >= 6, curve.name
        assert (curve.sizes[1:] > curve.sizes[:-1]).all(), curve.name
        assert (curve.losses > 0).all(), curve.name


def test_the_fit_never_sees_what_it_is_asked_for() -> None:
    for curve in read_curves():
        for question in list_questions(curve):
            assert (question.size in question.sizes) == (question.horizon == "x1")
            assert question.sizes.max() == curve.sizes[question.fitted - 1]


def test_a_few_curves_of_each_source_are_answered_and_tallied() -> None:
    few = choose_few(read_curves())
    tallies = tally_sources(judge_curves(few, workers=2))
    assert {tally.source for tally in tallies} == {*count_curves(few), "all"}
    assert {tally.horizon for tally in tallies} == set(HORIZONS)
    inside = next(tally for tally in tallies if (tally.source, tally.horizon) == ("all", "x1"))
    assert inside.held >= 0.9


def test_every_source_and_horizon_has_a_baseline() -> None:
    commit, baseline = read_baseline()
    assert commit
    assert set(baseline) >= {(source, horizon) for source in count_curves(read_curves()) for horizon in HORIZONS}
