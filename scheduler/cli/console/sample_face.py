"""Show sampled answers in a terminal: before and after side by side if it is wide, else below each other."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from scheduler.cli.console.output import Output
from scheduler.state.answer_samples import EvaluationSamples, SweepSamples
from sweeps.analysis.sampled_answers import AnswerSample, SampledPrompt
from sweeps.formatting import escape, escape_lines, format_cell, format_count, format_value
from sweeps.results import RunResult

WIDE = 100  # columns of a terminal from which two answers stand side by side
LONGEST = 600  # characters of a text that are shown: the rest is in the JSON
KEPT_END = 200  # of them, from its end
BETWEEN = 2  # columns


def show_samples(output: Output, name: str, samples: SweepSamples) -> None:
    """Show the samples of each evaluation, and say which evaluations have none."""
    for evaluation in samples.evaluations:
        _show_evaluation(output, evaluation)
    for measure, reason in samples.unsampled.items():
        output.say(f"\n{measure}: no samples: {reason}")
    if not samples.evaluations and not samples.unsampled:
        output.say(f"{name} has no evaluations, so there are no answers")


def _show_evaluation(output: Output, evaluation: EvaluationSamples) -> None:
    runs, metric = evaluation.runs, evaluation.metric
    title = f"{evaluation.measure}: {format_count(evaluation.items, 'item')}, by {metric}"
    output.console.print(f"\n{escape(title)}", style="bold")
    output.say(f"after:  {_name_run(runs.after)}, {metric} {format_value(runs.after.metrics[metric])}")
    if runs.before is not None:
        output.say(f"before: {runs.against}, {metric} {format_value(runs.before.metrics[metric])}")
    if evaluation.others:
        others = format_count(evaluation.others, "other trained run")
        output.say(f"note: {others} not shown: choose one with KEY=VALUE")
    for note in evaluation.notes:
        output.say(f"note: {note}")
    for kind, some in evaluation.chosen._asdict().items():
        for place, sample in enumerate(some, 1):
            _show_sample(output, f"{kind} {place} of {len(some)}", metric, sample)


def _name_run(run: RunResult) -> str:
    return ", ".join([*(f"{key}={format_cell(key, value)}" for key, value in run.cell.items()), f"seed {run.seed}"])


def _show_sample(output: Output, title: str, metric: str, sample: AnswerSample) -> None:
    before = "" if sample.before is None else f"{format_value(sample.before)} → "
    heading = f"\n{title}: item {sample.item}, {metric} {before}{format_value(sample.after)}"
    output.console.print(escape_lines(heading), style="bright_cyan")
    for prompt in sample.prompts:
        if not output.console.is_terminal:
            for label, text in _list_lines(prompt, " | "):
                output.console.print(f"{label + ':':<10}{escape(text)}", soft_wrap=True)
        elif output.console.width >= WIDE:
            _show_beside(output, prompt)
        else:
            output.console.print(_make_grid(_list_lines(prompt, "\n")))


def _list_lines(prompt: SampledPrompt, between: str) -> Iterator[tuple[str, str]]:
    yield from _list_asked(prompt)
    yield "before", _join_answers(prompt.before, between)
    yield "after", _join_answers(prompt.after, between)


def _list_asked(prompt: SampledPrompt) -> Iterator[tuple[str, str]]:
    if prompt.under:
        yield "under", prompt.under
    if prompt.question:
        yield "question", _shorten(prompt.question)
    if prompt.right:
        yield "right", _shorten(" | ".join(prompt.right))


def _join_answers(texts: Sequence[str], between: str) -> str:
    """Join the different answers, with how often each was given."""
    if not texts:
        return "(not measured)"
    counts = Counter(texts).most_common()
    return between.join(
        f"{_shorten(text) if text.strip() else '(nothing)'}{f' ({count} of {len(texts)})' if len(texts) > 1 else ''}"
        for text, count in counts
    )


def _shorten(text: str) -> str:
    """Leave out the middle of a long text."""
    left_out = len(text) - LONGEST
    if left_out <= 0:
        return text
    return f"{text[: LONGEST - KEPT_END]} … ({left_out:,} characters left out, `-f json` has them) … {text[-KEPT_END:]}"


def _show_beside(output: Output, prompt: SampledPrompt) -> None:
    output.console.print(_make_grid(list(_list_asked(prompt))))
    half = (output.console.width - BETWEEN) // 2
    table = Table(box=None, pad_edge=False, padding=(0, BETWEEN, 0, 0), header_style="dim")
    for name in ("before", "after"):
        table.add_column(name, width=half, overflow="fold")
    table.add_row(*(Text(escape_lines(_join_answers(texts, "\n"))) for texts in (prompt.before, prompt.after)))
    output.console.print(table)


def _make_grid(lines: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> Table:
    """Make lines of a label and a text, which is folded beside its label."""
    grid = Table.grid(padding=(0, BETWEEN, 0, 0))
    grid.add_column(no_wrap=True, style="dim", width=len("question"))
    grid.add_column(overflow="fold")
    for label, text in lines:
        grid.add_row(label, Text(escape_lines(text)))
    return grid
