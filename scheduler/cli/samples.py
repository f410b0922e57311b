"""Show what a sweep's models wrote, before and after training (`sweep samples`)."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.console.sample_face import show_samples
from scheduler.settings import read_settings
from scheduler.state.answer_samples import EvaluationSamples, SweepSamples, WantedSamples, read_samples
from sweeps.analysis.sampled_answers import AnswerSample
from sweeps.results import RunResult

MOST = 1_000  # samples of a kind


@click.command()
@click.argument("name")
@click.argument("where", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--metric", help="Show the evaluation of this metric, chosen by it.  [default: all, by their first one]")
@click.option(
    "--worst", type=click.IntRange(0, MOST), default=5, show_default=True, help="Answers with the worst score."
)
@click.option("--best", type=click.IntRange(0, MOST), default=5, show_default=True, help="Answers with the best score.")
@click.pass_obj
def samples(output: Output, *, name: str, where: tuple[str, ...], metric: str | None, worst: int, best: int) -> None:
    """Show the worst and best answers before and after training.

    Shown is the trained run with the best value of the metric, or the best of those with KEY=VALUE: size=256 seed=1.
    Among equal scores, those come first that training changed most.
    """
    request = WantedSamples(metric, worst, best, _split_where(where))
    settings = read_settings()
    with open_store(settings) as store:
        sampled = read_samples(store, settings.store, name, request)
    if output.form == "json":
        output.print_document(_make_document(name, sampled))
    elif output.form == "csv":
        output.print_csv(list(_list_rows(sampled)), columns=COLUMNS)
    else:
        show_samples(output, name, sampled)


def _split_where(words: Sequence[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    wrong = next((word for word, (key, equals, _) in zip(words, pairs, strict=True) if not (key and equals)), None)
    if wrong is not None:
        raise click.UsageError(f"expected KEY=VALUE, such as size=256 or seed=1, got {wrong!r}")
    return {key.strip(): text.strip() for key, _, text in pairs}


def _make_document(name: str, sampled: SweepSamples) -> dict[str, Any]:
    unsampled = [{"measure": measure, "reason": reason} for measure, reason in sampled.unsampled.items()]
    return {"sweep": name, "evaluations": list(map(_make_evaluation, sampled.evaluations)), "unsampled": unsampled}


def _make_evaluation(evaluation: EvaluationSamples) -> dict[str, Any]:
    runs = evaluation.runs
    return {
        "measure": evaluation.measure,
        "metric": evaluation.metric,
        "items": evaluation.items,
        "others": evaluation.others,
        "after": _make_run(runs.after, evaluation.metric),
        "before": _make_run(runs.before, evaluation.metric) if runs.before else None,
        "against": runs.against,
        "worst": list(map(_make_sample, evaluation.chosen.worst)),
        "best": list(map(_make_sample, evaluation.chosen.best)),
        "notes": list(evaluation.notes),
    }


def _make_run(run: RunResult, metric: str) -> dict[str, Any]:
    return {"cell": dict(run.cell), "seed": run.seed, "value": run.metrics[metric]}


def _make_sample(sample: AnswerSample) -> dict[str, Any]:
    prompts = [prompt._asdict() for prompt in sample.prompts]
    return {"item": sample.item, "before": sample.before, "after": sample.after, "prompts": prompts}


COLUMNS = (
    *("measure", "metric", "kind", "item", "score_before", "score_after"),
    *("under", "question", "right", "before", "after"),
)


def _list_rows(sampled: SweepSamples) -> Iterator[dict[str, Any]]:
    """List one row for each prompt."""
    for evaluation in sampled.evaluations:
        for kind, some in evaluation.chosen._asdict().items():
            for sample in some:
                scores = (evaluation.measure, evaluation.metric, kind, sample.item, sample.before, sample.after)
                for prompt in sample.prompts:
                    yield dict(zip(COLUMNS, (*scores, *prompt), strict=True))


commands = {"samples": samples}
