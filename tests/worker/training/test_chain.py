"""A chain continues from the weights of the part before, and does better than that part alone."""

import statistics

from scheduler.state import views
from sweeps.stage import Stage
from tests.worker.long_runs import LONG, half_interval
from tests.worker.workshop import Workshop

SPEC = """
sweep: one
experiment: compare
model: offline/ngram-s
equal: {examples: 1536}
methods:
  sl: {method: sl, data: chosen, rank: 16, learning_rate: 0.01, batch_size: 32}
  dpo: {method: dpo, data: pairs, rank: 16, learning_rate: 0.01, batch_size: 32}
  sl_then_dpo: {then: [sl, dpo]}
data:
  chosen: {source: "offline:preferences_chosen", holdout: 16}
  pairs: {source: "offline:preferences", holdout: 256}
seeds: 3
evaluate: [preference]
"""


@LONG
def test_preferences_after_imitation_do_better_than_imitation(workshop: Workshop) -> None:
    plan = workshop.submit(SPEC).plan
    todo: list[Stage] = list(plan.stages)
    while ready := [stage for stage in todo if workshop.state(stage) == "ready"]:
        for stage in ready:
            workshop.attempt(stage)
    rows = views.read_results(workshop.store, "one")
    assert {row.state for row in rows} == {"succeeded"}
    accuracies = {
        name: [row.metrics["preference_accuracy"] for row in rows if row.cell["method"] == name]
        for name in ("sl", "sl_then_dpo")
    }
    gain = [after - before for after, before in zip(accuracies["sl_then_dpo"], accuracies["sl"], strict=True)]
    assert statistics.fmean(gain) > half_interval(gain), accuracies
    chained = next(row for row in rows if row.cell["method"] == "sl_then_dpo")
    alone = next(row for row in rows if row.cell["method"] == "dpo")
    assert chained.tokens < alone.tokens, "half of its examples are read once, and not looked at before"
