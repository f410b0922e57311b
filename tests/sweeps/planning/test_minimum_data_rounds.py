"""The design of rounds is a pure function: of the file, the runs that there may be, and the results so far."""

import math
import random
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from sweeps.analysis.targets import fit_runs
from sweeps.planning.rounds.next_round import Candidate, NextRound, RoundsEnd, SweepProgress
from sweeps.planning.rounds.round_designs import choose_round, find_design
from sweeps.results import RunResult
from sweeps.scaling.coded_text import read_code
from sweeps.stage import MICRO, Json

SIZES = (32, 64, 128, 256, 512, 1024)
GRID, SEEDS = 3, 6
NOISE = 0.01


def make_spec(**until: Json) -> Mapping[str, Json]:
    return {
        "sweep": "s",
        "experiment": "data_scaling",
        "evaluate": ["nll"],
        "target": {"metric": "nll", "below": 1.9},
        "until": {"minimum_data": {"ratio": 1.3}, **until},
    }


def list_all() -> list[Candidate]:
    """A run costs a dollar for each thousand rows, and .1 in any case; the untrained model .1."""
    trained = [
        Candidate({"data": "web", "size": size}, seed, MICRO * (0.1 + size / 1000), in_grid=seed < GRID)
        for seed in range(SEEDS)
        for size in SIZES
    ]
    return [Candidate({"data": "web", "size": 0}, 0, MICRO * 0.1, in_grid=True), *trained]


def measure(run: Candidate) -> RunResult:
    """The same value whenever it is measured."""
    noise = np.random.default_rng([run.seed, run.size]).standard_normal()
    loss = (1.2 + 3.0 * run.size**-0.3) * (1 + NOISE * noise) if run.size else 4.0
    return RunResult(run.cell, run.seed, "succeeded", metrics={"nll": float(loss)})


def start(spec: Mapping[str, Json]) -> SweepProgress:
    design = find_design(spec)
    assert design is not None
    first = design.choose_first(spec, list_all())
    return SweepProgress(spec, list_all(), [measure(run) for run in list_all() if run.key in first])


def play(progress: SweepProgress) -> tuple[SweepProgress, list[NextRound], RoundsEnd]:
    rounds = list[NextRound]()
    while isinstance(following := choose_round(progress), NextRound):
        rounds.append(following)
        rows = [*progress.rows, *(measure(run) for run in following.runs)]
        progress = SweepProgress(progress.spec, progress.candidates, rows)
        assert len(rounds) < SEEDS * len(SIZES), "every round has a run"
    return progress, rounds, following


def sum_dollars(progress: SweepProgress) -> float:
    return sum(run.cost for run in progress.candidates if run.key in progress.made) / MICRO


def test_the_first_round_has_every_size_and_the_untrained_model() -> None:
    made = start(make_spec()).made
    sizes = {run.size for run in list_all() if run.key in made}
    assert sizes == {0, *SIZES}
    assert all(run.key in made for run in list_all() if run.seed == 0)


def test_rounds_stop_at_the_width_with_runs_of_the_ladder_each_made_once() -> None:
    progress, rounds, end = play(start(make_spec(most=SEEDS * len(SIZES))))
    assert (end.code, bool(rounds)) == ("reached", True)
    ((_, ratio),) = end.ratios
    assert ratio is not None
    assert 1 <= ratio <= 1.3
    keys = [run.key for part in rounds for run in part.runs]
    assert len(keys) == len({*keys})
    assert {*keys} <= {run.key for run in list_all()}
    assert len(progress.rows) == len(progress.made)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_results_changes_nothing(seed: int) -> None:
    progress, _, _ = play(start(make_spec(most=10)))
    shuffled: Sequence[RunResult] = random.Random(seed).sample([*progress.rows], len(progress.rows))
    again = SweepProgress(make_spec(most=20), progress.candidates, shuffled)
    whole = SweepProgress(make_spec(most=20), progress.candidates, progress.rows)
    assert choose_round(again).document() == choose_round(whole).document()


@pytest.mark.parametrize(("until", "code"), [({"budget": {"usd": 5.0}}, "budget"), ({"most": 10}, "most")])
def test_no_limit_is_passed(until: Mapping[str, Json], code: str) -> None:
    progress, _, end = play(start({**make_spec(), "until": {"minimum_data": {"ratio": 1.01}, **until}}))
    assert end.code == code
    assert sum_dollars(progress) <= 5.0 + 1e-6 or code == "most"
    assert sum(run.trains for run in list_all() if run.key in progress.made) <= 10 or code == "budget"


def test_without_a_limit_rounds_cost_no_more_than_the_full_grid() -> None:
    progress, _, end = play(start({**make_spec(), "until": {"minimum_data": {"ratio": 1.0001}}}))
    assert end.code == "budget"
    assert sum_dollars(progress) <= sum(run.cost for run in list_all() if run.in_grid) / MICRO + 1e-6


def test_a_looser_goal_ends_earlier_and_a_tighter_one_goes_on_from_there() -> None:
    most = SEEDS * len(SIZES)
    loose, _, _ = play(start({**make_spec(), "until": {"minimum_data": {"ratio": 1.6}, "most": most}}))
    tight, rounds, end = play(SweepProgress(make_spec(most=most), loose.candidates, loose.rows))
    assert end.code == "reached"
    assert rounds
    assert loose.made < tight.made


def test_a_sweep_whose_until_is_taken_away_completes_its_grid() -> None:
    begun = start(make_spec())
    progress, rounds, end = play(SweepProgress({**make_spec(), "until": {"full_grid": True}}, list_all(), begun.rows))
    assert (end.code, len(rounds)) == ("all_run", 1)
    assert {run.key for run in list_all() if run.in_grid} <= progress.made


def test_a_run_without_a_value_is_not_made_again() -> None:
    begun = start(make_spec())
    rows = [
        RunResult(row.cell, row.seed, "failed", {"nll": math.nan} if row.cell["size"] == SIZES[-1] else row.metrics)
        for row in begun.rows
    ]
    following = choose_round(SweepProgress(begun.spec, begun.candidates, rows))
    assert isinstance(following, NextRound)
    assert begun.made.isdisjoint(run.key for run in following.runs)


def test_no_seed_is_called_missing_where_rounds_chose_the_runs() -> None:
    progress, _, _ = play(start(make_spec(most=12)))
    seeds = {size: {row.seed for row in progress.rows if row.cell["size"] == size} for size in SIZES}
    assert len({len(own) for own in seeds.values()}) > 1, "sizes differ in their seeds"
    rows = [row for row in progress.rows if row.cell["size"]]
    codes = [read_code(text) for text in fit_runs(progress.spec, rows).warnings]
    assert "missing_seeds" not in codes
    plain = {key: value for key, value in progress.spec.items() if key != "until"}
    assert "missing_seeds" in [read_code(text) for text in fit_runs(plain, rows).warnings]
