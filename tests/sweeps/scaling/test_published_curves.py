"""Answers about published curves: a few of them, asked as `make bench-curves` asks all."""

import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sweeps.scaling.misfit import PUBLISHED_PRIOR
from tests.bench.curves import choose_few, judge_curves
from tests.published.bars import HELD, UNWARNED, list_shortfalls
from tests.published.curves_table import CURVES, FOLDER, UNSEEN, count_curves, read_curves
from tests.published.evidence_table import (
    BEGIN_UNSEEN,
    PAGE,
    RECORD,
    UNSEEN_RECORD,
    format_table,
    format_unseen,
    read_page,
)
from tests.published.held_tally import BASELINE, EVERY_SOURCE, read_tallies, tally_sources
from tests.published.left_out_priors import list_others, read_priors
from tests.published.questions_asked import HORIZONS, list_questions


@pytest.mark.parametrize("file", [CURVES, UNSEEN], ids=lambda file: file.stem)
def test_the_table_has_ascending_sizes_and_positive_losses(file: Path) -> None:
    curves = read_curves(file)
    assert len({(curve.source, curve.name) for curve in curves}) == len(curves)
    for curve in curves:
        assert len(curve.sizes) == len(curve.losses) >= 6, curve.name
        assert (curve.sizes[1:] > curve.sizes[:-1]).all(), curve.name
        assert (curve.losses > 0).all(), curve.name


def test_every_source_has_its_publication_licence_and_number_of_curves_on_both_pages() -> None:
    counts = count_curves(read_curves())
    counts |= {"overtraining": count_curves(read_curves(UNSEEN))["overtraining"]}
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    shown = PAGE.read_text(encoding="utf-8")
    for source, count in counts.items():
        row = re.search(rf"^\| `{source}` \|.*arXiv [\d.]+.*\| (Apache 2.0|MIT|CC BY 4.0).* \|", listed, re.MULTILINE)
        assert row is not None, source
        assert re.search(rf"`{source}`, {count} curves", listed), source
        assert re.search(rf"^\| `{source}` \|.*\| {count} \|.*\| {row[1]} \|$", shown, re.MULTILINE), source
    assert f" {len(read_curves())} curves" in shown


def test_the_fit_never_sees_what_it_is_asked_for() -> None:
    for curve in read_curves():
        for question in list_questions(curve):
            assert (question.size in question.sizes) == (question.horizon == "x1")
            assert question.sizes.max() == curve.sizes[question.fitted - 1]


def test_a_curve_of_each_source_is_answered_and_tallied() -> None:
    few = choose_few(read_curves(), 1)
    with ProcessPoolExecutor(2) as pool:
        tallies = tally_sources(judge_curves(few, read_priors(), pool))
    assert {tally.source for tally in tallies} == {*count_curves(few), "all"}
    assert {tally.horizon for tally in tallies} == set(HORIZONS)
    for tally in tallies:
        if tally.source == EVERY_SOURCE:
            assert min(tally.held, tally.band_held) >= HELD, tally
            assert tally.unwarned <= UNWARNED, tally


def test_a_source_is_judged_with_a_prior_from_the_other_sources_and_the_published_one_is_of_all() -> None:
    sources = count_curves(read_curves())
    for source, others in list_others(sources).items():
        assert set(others) == set(sources) - {source}
    priors = read_priors()
    assert set(priors) == {*sources, EVERY_SOURCE}
    assert priors[EVERY_SOURCE] == PUBLISHED_PRIOR


def test_the_page_shows_what_was_recorded_for_every_source_and_horizon() -> None:
    commit, before = read_tallies(BASELINE)
    _, after = read_tallies(RECORD)
    every = {(source, horizon) for source in (*count_curves(read_curves()), "all") for horizon in HORIZONS}
    new = count_curves(read_curves(UNSEEN))
    assert {*read_tallies(UNSEEN_RECORD)[1]} == {(source, horizon) for source in (*new, "all") for horizon in HORIZONS}
    assert read_page(BEGIN_UNSEEN) == format_unseen()
    assert commit == "b5fda91"
    assert set(before) == set(after) == every
    assert read_page() == format_table()


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        (("all", "x2"), {"held": 0.91}),
        (("all", "x1"), {"band_held": 0.91}),
        (("all", "x4"), {"answered": 350}),
        (("all", "left out"), {"unwarned": 0.021}),
        (("all", "x2"), {"band_width": 0.091}),
        (("all", "x4"), {"band_width": 0.156}),
        (("lcdb", "x4"), {"held": 0.87}),
        (("flan", "left out"), {"band_held": 0.87}),
    ],
)
def test_what_was_recorded_meets_every_bar_and_a_worse_share_does_not(
    key: tuple[str, str], changed: dict[str, Any]
) -> None:
    before, after = (read_tallies(path)[1] for path in (BASELINE, RECORD))
    assert list(list_shortfalls([*after.values()], before)) == []
    assert len(list(list_shortfalls([after[key]._replace(**changed)], before))) == 1


def test_new_curves_are_none_that_the_prior_was_learned_from_and_what_was_recorded_of_them_meets_the_bars() -> None:
    known = {(curve.source, curve.name) for curve in read_curves()}
    losses = {tuple(curve.losses) for curve in read_curves()}
    for curve in read_curves(UNSEEN):
        assert (curve.source, curve.name) not in known
        assert tuple(curve.losses) not in losses
    assert "overtraining" not in read_priors()
    assert list(list_shortfalls([*read_tallies(UNSEEN_RECORD)[1].values()], {})) == []


def test_the_baseline_misses_every_bar_that_it_was_to_miss() -> None:
    _, before = read_tallies(BASELINE)
    missed = list(list_shortfalls(list(before.values()), before))
    assert any(line.startswith("flan at x2: 0.599 of the intervals") for line in missed)
    assert any(line.startswith("all at x4: 20.7% are wrong") for line in missed)
    assert not any("times the baseline's" in line for line in missed)
