"""Learn the prior of misfit for each source from the other sources, and the published one from all of them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path

from sweeps.scaling.misfit import PUBLISHED_PRIOR, MisfitPrior
from sweeps.scaling.misfit_prior import combine_errors, measure_errors
from tests.published.curves_table import FOLDER, PublishedCurve, count_curves
from tests.published.held_tally import EVERY_SOURCE

PRIORS = FOLDER / "priors.json"


def list_others(sources: Iterable[str]) -> dict[str, list[str]]:
    """List for each source the others, which its prior is learned from; and for "all", every source."""
    every = list(sources)
    return {source: [other for other in every if other != source] for source in every} | {EVERY_SOURCE: every}


def learn_priors(curves: Sequence[PublishedCurve], pool: Executor) -> dict[str, MisfitPrior]:
    """Learn the prior that each source is judged with, and that of all sources, as `learn_prior` does."""
    own = {
        source: [(curve.sizes, curve.losses) for curve in curves if curve.source == source]
        for source in count_curves(list(curves))
    }
    errors = dict(zip(own, pool.map(measure_errors, own.values()), strict=True))
    parts = list_others(own)
    priors = pool.map(combine_errors, [{other: errors[other] for other in others} for others in parts.values()])
    return dict(zip(parts, priors, strict=True))


def write_priors(priors: dict[str, MisfitPrior], path: Path = PRIORS) -> None:
    """Write the prior of each source."""
    path.write_text(json.dumps({source: asdict(prior) for source, prior in priors.items()}, indent=1) + "\n")


def read_priors(path: Path = PRIORS) -> dict[str, MisfitPrior]:
    """Read the prior of each source."""
    written = json.loads(path.read_text())
    return {
        source: MisfitPrior(**{**numbers, **{name: tuple(numbers[name]) for name in ("widening", "above")}})
        for source, numbers in written.items()
    }


def list_changed(priors: Mapping[str, MisfitPrior]) -> Iterator[tuple[str, MisfitPrior]]:
    """List the priors that are not as recorded, with the published one, which has to be that of all sources."""
    recorded = read_priors()
    yield from ((source, prior) for source, prior in priors.items() if recorded.get(source) != prior)
    if priors[EVERY_SOURCE] != PUBLISHED_PRIOR:
        yield "published", PUBLISHED_PRIOR
