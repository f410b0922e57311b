"""`make bench-curves`: how often answers about published curves hold, where the later losses were measured.

    python -m tests.bench.curves [--short] [--baseline COMMIT]

Each curve is fitted up to a size and asked for the data that a loss measured later (or inside) needs; the questions are
in `tests/published/questions_asked.py`. `--short` asks a few curves of each source. `--baseline COMMIT` writes the
tallies as those of COMMIT, the code they are from, to compare later runs with.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.published.curves_table import PublishedCurve, count_curves, read_curves
from tests.published.held_tally import HeldTally, divide_widths, read_baseline, tally_sources, write_baseline
from tests.published.questions_asked import Judgement, ask_question, list_questions

SHORT = 2  # curves of each source
HEADER = (
    f"{'source':16} {'horizon':9} {'asked':>6} {'answered':>9} {'refused':>8} {'interval':>9} {'band':>6}"
    f" {'unwarned':>9} {'band width':>11} {'x before':>9} {'log n':>7} {'open':>6} {'error':>7}"
)


def judge_curves(curves: Sequence[PublishedCurve], workers: int) -> list[Judgement]:
    """Ask all questions of the curves in parallel processes; the order does not depend on their number."""
    questions = [question for curve in curves for question in list_questions(curve)]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(ask_question, questions, chunksize=8))


def choose_few(curves: Sequence[PublishedCurve], count: int = SHORT) -> list[PublishedCurve]:
    """Choose `count` curves of each source, spread over the file."""
    few = []
    for source, total in count_curves(list(curves)).items():
        own = [curve for curve in curves if curve.source == source]
        few += [own[place * total // count] for place in range(min(count, total))]
    return few


def format_tallies(tallies: Sequence[HeldTally]) -> Iterator[str]:
    """Format one line for each source and horizon."""
    commit, baseline = read_baseline()
    yield f"widths are compared with those of commit {commit}" if commit else "there is no baseline"
    yield HEADER
    for tally in tallies:
        yield (
            f"{tally.source:16} {tally.horizon:9} {tally.asked:6} {tally.answered:9} {tally.refused:8.1%}"
            f" {tally.held:9.3f} {tally.band_held:6.3f} {tally.unwarned:9.1%} {tally.band_width:11.4f}"
            f" {divide_widths(tally, baseline):9.2f} {tally.interval_width:7.2f} {tally.open_share:6.1%}"
            f" {tally.error:7.4f}"
        )


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--short", action="store_true")
    options.add_argument("--baseline", metavar="COMMIT")
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = options.parse_args()
    curves = choose_few(read_curves()) if chosen.short else read_curves()
    began = time.perf_counter()
    tallies = tally_sources(judge_curves(curves, chosen.workers))
    if chosen.baseline:
        write_baseline(tallies, chosen.baseline)
    for line in format_tallies(tallies):
        sys.stdout.write(f"{line}\n")
    counted = ", ".join(f"{count} of {source}" for source, count in count_curves(curves).items())
    sys.stdout.write(f"curves: {counted}; {time.perf_counter() - began:.0f} seconds\n")


if __name__ == "__main__":
    main()
