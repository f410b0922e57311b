"""A kind of experiment that the project does not have, as somebody would write it: one file."""

KIND = '''"""Longer: does training twice as long help?"""

from dataclasses import replace

from sweeps.analysis.item_analysis import ItemsBy
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.kind import Experiment
from sweeps.planning.runs import DatasetRun
from sweeps.report.document import Answer, Section, make_table
from sweeps.results import keep_measured


def plan_lengths(builder, variant):
    for name, spec in variant.data.items():
        dataset = builder.data.dataset(name, spec)
        for times in (1, 2):
            train = variant.train.model_copy(update={"steps": variant.train.steps * times})
            for seed in builder.sweep.seed_values:
                cell = {"times": times, **variant.cell}
                yield DatasetRun(builder, replace(variant, train=train), cell, seed, dataset, len(dataset.train))


def list_means(spec, rows, items):
    losses = {}
    for row in keep_measured(rows):
        losses.setdefault(row.cell["times"], []).append(row.metrics["nll"])
    return [{"times": times, "nll": sum(each) / len(each)} for times, each in losses.items()]


def conclude(spec, rows, items):
    long, short = ([row["nll"] for row in list_means(spec, rows, items) if row["times"] == times] for times in (2, 1))
    return Conclusion("better", "nll", "2 times as long", "1 time as long", short[0] - long[0])


def answer(spec, rows, items, conclusion):
    means = list_means(spec, rows, items)
    best = min(means, key=lambda row: row["nll"])
    table = make_table(means, caption="Mean loss of each length")
    sentence = f"{best['times']} times as long has the least loss: {best['nll']:.4f}."
    return Answer((sentence,), (Section("Longer", (table,)),))


EXPERIMENT = Experiment(
    name="longer",
    title="longer training",
    question="Does training longer help?",
    needs=("train",),
    takes=("train",),
    plan_runs=plan_lengths,
    conclude=conclude,
    answer=answer,
    facts_key="longer",
    list_facts=list_means,
    list_cell_values=lambda sweep: {"times": (1, 2)},
    count_axes=lambda sweep: {"lengths": 2},
)
'''
