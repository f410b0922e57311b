"""Changes of metrics of all items together, such as calibration errors and AURC, by a bootstrap over the items.

Such a metric is no mean over items, so it is split into what each item contributes (`sweeps.metrics.influence`), and
its change is estimated by resampling the items, or their clusters, of both sides together, less the bias that noise
gives to each side.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from sweeps.evaluation.item_rows import ItemId, ItemRow
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.metrics.influence import resample, split_by_item
from sweeps.metrics.ranges import find_difference_range
from sweeps.stats.clusters import Floats, number_clusters
from sweeps.stats.paired_items import (
    Claim,
    ItemDifference,
    Scores,
    bound_error,
    claim_recipe,
    make_claim,
    select_stated,
)

Rows = Sequence[ItemRow]
DRAWS = 200
ROUGH = 1e-6  # what is no error of a metric between 0 and 1: answers of next to no probability move it by as much


def pool_scores(rows: Sequence[ItemRow], name: str) -> Scores:
    """Split a metric of all items together into what each item contributes."""
    asked, confidence, right = select_stated(rows)
    values = split_by_item(name, confidence, right).tolist() if asked else ()
    amounts: dict[ItemId, float] = {}
    sizes: dict[ItemId, float] = {}
    for row, value in zip(asked, values, strict=True):
        amounts[row.item] = amounts.get(row.item, 0.0) + value
        sizes[row.item] = sizes.get(row.item, 0.0) + 1.0
    return Scores(amounts, sizes, {row.item: row.group for row in asked})


def bootstrap_change(
    metric: str, pairs: Sequence[tuple[Rows, Rows]], places: Mapping[ItemId, int]
) -> tuple[float, Claim | None]:
    """Estimate the change less its bias: the items of all runs are resampled together, and seeds add their spread.

    `pairs` are the rows before and after of each seed, `places` the number of the cluster of each item.
    """
    count = max(places.values()) + 1
    weights = _draw_weights(count)

    def draw(rows: Rows) -> Floats:
        asked, confidence, right = select_stated(rows)
        return resample(metric, confidence, right, np.array([places[row.item] for row in asked]), weights)

    known = {id(rows): draw(rows) for pair in pairs for rows in pair}  # one before stands for all seeds
    draws = np.stack([known[id(after)] - known[id(before)] for before, after in pairs])
    middle, error = float(draws[:, 0].mean()), float(draws[:, 1:].mean(axis=0).std(ddof=1))
    if count < 2:
        return middle, None
    error *= math.sqrt(count / (count - 1))  # a resampled spread divides by all clusters
    if error <= ROUGH:  # no draw is another: what few answers leave open
        error = bound_error(count)
    if len(pairs) < 2:
        return middle, make_claim(middle, error, count - 1)
    by_seed = float(draws[:, 0].var(ddof=1)) / len(pairs)
    return middle, claim_recipe(middle, by_seed, error, len(pairs) - 1, count - 1)


def compare_pooled(metric: str, rows: Mapping[int, Rows], others: Mapping[int, Rows]) -> ItemDifference | None:
    """Compare two sets of runs, each by seed, by a metric of all items together, less the bias of either side.

    None if they have no seed or no item in common.
    """
    name, seeds = get_base_name(metric), sorted(rows.keys() & others.keys())
    asked = [{row.item for row in select_stated(side[seed])[0]} for seed in seeds for side in (rows, others)]
    items = set.intersection(*asked) if asked else set()
    if not items:
        return None
    pairs = [tuple([row for row in side[seed] if row.item in items] for side in (others, rows)) for seed in seeds]
    clusters = {row.item: row.group for row in pairs[0][0]}
    places = dict(zip(clusters, number_clusters(list(clusters.values()), len(clusters)).tolist(), strict=True))
    middle, claim = bootstrap_change(name, [(before, after) for before, after in pairs], places)
    return ItemDifference(
        middle,
        len(items),
        max(places.values()) + 1,
        len(seeds),
        len(set.union(*asked) - items),
        claim if len(seeds) == 1 else None,
        claim if len(seeds) > 1 else None,
        span=find_difference_range(metric),
    )


@lru_cache(maxsize=1)
def _draw_weights(clusters: int) -> Floats:
    """Draw how often each cluster counts, (1 + draws, clusters): once, then as resampled; the same for all metrics."""
    random = np.random.default_rng(0)
    again = random.multinomial(clusters, np.full(clusters, 1 / clusters), DRAWS)
    return np.vstack([np.ones(clusters), again])
