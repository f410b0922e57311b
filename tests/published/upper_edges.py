"""Count how often later losses lay below the upper edge of the band: what an upper end of an interval rests on."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from sweeps.scaling.fit import fit_scaling
from sweeps.scaling.misfit import MisfitPrior
from tests.published.curves_table import PublishedCurve
from tests.published.questions_asked import FITTED, NEAR

TIMES = (8, 16, 32)  # times the largest size fitted: beyond the horizons that the questions ask for
HELD_BELOW = 0.95  # of the losses of all sources at each of them


class UpperEdge(NamedTuple):
    """One measured loss beyond a fit, and whether the band's upper edge was at or above it."""

    source: str
    times: int
    held: bool


def measure_edges(
    curves: Sequence[PublishedCurve], priors: Mapping[str, MisfitPrior], pool: Executor
) -> list[UpperEdge]:
    """Compare every curve's later losses with the upper edges, with the prior of its source."""
    own = [priors[curve.source] for curve in curves]
    return [edge for edges in pool.map(_measure_curve, curves, own, chunksize=4) for edge in edges]


def _measure_curve(curve: PublishedCurve, prior: MisfitPrior) -> list[UpperEdge]:
    edges = []
    for count in (count for count in FITTED if count < len(curve.sizes)):
        fit = fit_scaling(curve.sizes[:count], curve.losses[:count], prior=prior)
        if fit.refused:
            continue
        for times in TIMES:
            wanted = times * curve.sizes[count - 1]
            at = int(np.abs(np.log(curve.sizes / wanted)).argmin())
            if abs(curve.sizes[at] / wanted - 1) <= NEAR:
                held = bool(curve.losses[at] <= fit.predict(curve.sizes[at]).high[0])
                edges.append(UpperEdge(curve.source, times, held))
    return edges


def format_edges(edges: Sequence[UpperEdge]) -> Iterator[str]:
    """Format one line for each horizon."""
    for times in TIMES:
        held = [edge.held for edge in edges if edge.times == times]
        yield f"x{times}: {np.mean(held):.3f} of {len(held)} losses lay below the upper edge of the band"


def list_short_edges(edges: Sequence[UpperEdge]) -> Iterator[str]:
    """List the horizons at which too few losses lay below the edge."""
    for times in TIMES:
        share = float(np.mean([edge.held for edge in edges if edge.times == times]))
        if share < HELD_BELOW:
            yield f"x{times}: {share:.3f} of the losses lay below the upper edge, expected {HELD_BELOW} or more"
