"""`make bench-curves`: how often answers about published curves hold, where the later losses were measured.

    python -m tests.bench.curves [--short | --curves FILE] [--record | --check | --baseline] [--questions FILE]

Each curve is fitted up to a size and asked for the data that a loss measured later (or inside) needs; the questions are
in `tests/published/questions_asked.py`. The prior of misfit is learned anew for each source from the other sources.
Nothing is learned from the curves of `tests/published/unseen.csv`, which are asked, too.
Fails where an answer misses its bar (`tests/published/bars.py`). `--short` asks a few curves of each source with the
recorded priors, and fails for none. `--curves FILE` asks about your own curves with the published prior: the columns
are those of `tests/published/curves.csv`. `--record` writes the priors, the tallies, and the table of the page in
`docs/evidence/`, `--check` compares them with what was recorded. `--baseline` writes the tallies that later runs are
compared with. `--questions FILE` writes every question with its answer.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from itertools import chain
from pathlib import Path

from sweeps.scaling.misfit import PUBLISHED_PRIOR, MisfitPrior
from tests.published.bars import list_shortfalls
from tests.published.curves_table import CURVES, UNSEEN, PublishedCurve, count_curves, read_curves
from tests.published.evidence_table import RECORD, UNSEEN_RECORD, write_page
from tests.published.held_tally import (
    BASELINE,
    HeldTally,
    divide_widths,
    list_differences,
    read_tallies,
    tally_sources,
    write_tallies,
)
from tests.published.left_out_priors import learn_priors, list_changed, read_priors, write_priors
from tests.published.questions_asked import Judgement, ask_questions, group_questions, list_questions
from tests.published.upper_edges import format_edges, list_short_edges, measure_edges

SHORT = 2  # curves of each source
HEADER = (
    f"{'source':16} {'horizon':9} {'asked':>6} {'answered':>9} {'refused':>8} {'interval':>9} {'band':>6}"
    f" {'unwarned':>9} {'band width':>11} {'x before':>9} {'log n':>7} {'open':>6} {'error':>7}"
)


def judge_curves(
    curves: Sequence[PublishedCurve], priors: Mapping[str, MisfitPrior], pool: Executor
) -> list[Judgement]:
    """Ask all questions of the curves, each with the prior of its source; the order does not depend on the pool."""
    questions = [question for curve in curves for question in list_questions(curve)]
    groups = group_questions(questions)
    asked = [[questions[place] for place in places] for places in groups]
    answers = pool.map(ask_questions, asked, [priors.get(part[0].source, PUBLISHED_PRIOR) for part in asked])
    judged = dict(zip(chain.from_iterable(groups), chain.from_iterable(answers), strict=True))
    return [judged[place] for place in range(len(questions))]


def choose_few(curves: Sequence[PublishedCurve], count: int = SHORT) -> list[PublishedCurve]:
    """Choose `count` curves of each source, spread over the file."""
    few = []
    for source, total in count_curves(list(curves)).items():
        own = [curve for curve in curves if curve.source == source]
        few += [own[place * total // count] for place in range(min(count, total))]
    return few


def format_tallies(tallies: Sequence[HeldTally]) -> Iterator[str]:
    """Format one line for each source and horizon."""
    commit, baseline = read_tallies(BASELINE)
    yield f"widths are compared with those of commit {commit}" if commit else "there is no baseline"
    yield HEADER
    for tally in tallies:
        yield (
            f"{tally.source:16} {tally.horizon:9} {tally.asked:6} {tally.answered:9} {tally.refused:8.1%}"
            f" {tally.held:9.3f} {tally.band_held:6.3f} {tally.unwarned:9.1%} {tally.band_width:11.4f}"
            f" {divide_widths(tally, baseline):9.2f} {tally.interval_width:7.2f} {tally.open_share:6.1%}"
            f" {tally.error:7.4f}"
        )


def format_bends(judgements: Sequence[Judgement]) -> Iterator[str]:
    """Format for each horizon beyond the sizes how many answers say that the curve bends, and how many of them hold."""
    for horizon in ("x2", "x4"):
        answered = [judgement for judgement in judgements if judgement.horizon == horizon and judgement.answered]
        bent = [judgement.held for judgement in answered if judgement.bends]
        yield f"{horizon}: {len(bent)} of {len(answered)} answers say that the curve bends, {sum(bent)} of them hold"


def write_questions(judgements: Sequence[Judgement], path: Path) -> None:
    """Write one line for each question with its answer."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Judgement._fields)
        table.writerows(judgements)


def name_commit() -> str:
    """Name the commit that last changed the fit."""
    command = ("git", "log", "-1", "--format=%h", "--", "sweeps/scaling")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def list_mistakes(
    tallies: Sequence[HeldTally], unseen: Sequence[HeldTally], priors: Mapping[str, MisfitPrior], *, check: bool
) -> Iterator[str]:
    """List what misses its bar; with `check`, also what differs from the record."""
    yield from list_shortfalls(tallies, read_tallies(BASELINE)[1])
    yield from (f"new curves: {line}" for line in list_shortfalls(unseen, {}))
    if check:
        yield from list_differences(tallies, read_tallies(RECORD)[1])
        yield from (f"new curves: {line}" for line in list_differences(unseen, read_tallies(UNSEEN_RECORD)[1]))
        yield from (f"the prior {name} is {prior}, not as recorded" for name, prior in list_changed(priors))


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    options = argparse.ArgumentParser()
    for flag in ("--short", "--record", "--check", "--baseline"):
        options.add_argument(flag, action="store_true")
    for file in ("--curves", "--questions"):
        options.add_argument(file, type=Path)
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    return options.parse_args()


def main() -> None:
    """Print the table, and do what the options ask."""
    chosen = parse_options()
    began = time.perf_counter()
    curves = read_curves(chosen.curves or CURVES)
    partial = chosen.short or chosen.curves
    with ProcessPoolExecutor(chosen.workers) as pool:
        priors = read_priors() if partial else learn_priors(curves, pool)
        judgements = judge_curves(choose_few(curves) if chosen.short else curves, priors, pool)
        edges = [] if partial else measure_edges(curves, priors, pool)
        unseen = [] if partial else tally_sources(judge_curves(read_curves(UNSEEN), priors, pool))
    tallies = tally_sources(judgements)
    if chosen.questions:
        write_questions(judgements, chosen.questions)
    if chosen.baseline:
        write_tallies(tallies, name_commit(), BASELINE)
    if chosen.record:
        write_priors(priors)
        write_tallies(tallies, "this one", RECORD)
        write_tallies(unseen, "this one", UNSEEN_RECORD)
        write_page()
    for line in format_tallies(tallies):
        sys.stdout.write(f"{line}\n")
    for line in (*format_bends(judgements), *(format_edges(edges) if edges else ())):
        sys.stdout.write(f"{line}\n")
    for line in ("curves that nothing was learned from:", *format_tallies(unseen)) if unseen else ():
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{len(judgements)} questions, {time.perf_counter() - began:.0f} seconds\n")
    wrong = [] if partial else [*list_mistakes(tallies, unseen, priors, check=chosen.check), *list_short_edges(edges)]
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
