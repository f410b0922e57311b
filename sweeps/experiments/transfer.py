"""Transfer: does training on A help B? Gains for each pair and size, their worth in data, and what was forgotten."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sweeps.analysis.guessing import Guess, find_unbeaten
from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.analysis.targets import Spec, find_metric, split_variants
from sweeps.analysis.told_items import FEWEST
from sweeps.analysis.transfer.transfer_gains import AXES, TransferCell, TransferMatrix, fill_matrix
from sweeps.errors import DataError, SweepsError
from sweeps.evaluation.evaluator import Better
from sweeps.evaluation.metric_prefixes import SOURCE
from sweeps.evaluation.nll import NLL
from sweeps.evaluation.registry import choose_direction
from sweeps.experiments.conclude_transfer import conclude_transfer
from sweeps.experiments.conclusion import Conclusion, find_claim, gather
from sweeps.experiments.evidence import list_measured_first, refuse_direction
from sweeps.experiments.kind import Experiment, Fact
from sweeps.experiments.transfer_words import compare_sources
from sweeps.formatting import format_count
from sweeps.planning.cells import Variant
from sweeps.planning.runs import DatasetRun, plan_sizes
from sweeps.planning.stage_builder import StageBuilder
from sweeps.records import Dataset
from sweeps.report.document import Answer, Section
from sweeps.report.plain_values import simplify
from sweeps.report.shared_parts import count_more_pairs
from sweeps.report.table_cells import format_estimate
from sweeps.report.transfer_figures import name_unit, show_matrix
from sweeps.results import RunResult, group_by_cell
from sweeps.spec.metric_wishes import ask_direction, is_directed, list_wishes
from sweeps.spec.model import SweepFields
from sweeps.spec.scalars import Finding, suggest
from sweeps.spec.sections import MetricWish
from sweeps.spec.size_units import EXAMPLES, SizeUnit, find_unit
from sweeps.spec.variation_rules import list_sizes
from sweeps.stage import Json

FEW = 3  # pairs that the answer names


def check_pairs(sweep: SweepFields) -> Iterator[Finding]:
    """Check that sources and targets name data sets, and that they make at least one pair."""
    names = list(sweep.data)
    for key in ("sources", "targets"):
        given = getattr(sweep, key) or ()
        for index, name in enumerate(given):
            if name not in sweep.data:
                yield (key, index), f"got {name!r}; {suggest(name, names)}"
            elif name in given[:index]:
                yield (key, index), f"expected each name once, got {name!r} twice"
    sources, targets = sweep.sources or names, sweep.targets or names
    if not any(source != target for source in sources for target in targets):
        got = f"sources {', '.join(sources)} and targets {', '.join(targets)}"
        yield ("data",), f"expected a source and a target that are different data sets, got {got}"


def plan_transfer(builder: StageBuilder, variant: Variant) -> Iterator[DatasetRun]:
    """Plan targets alone, sources alone (size 0), and every pair at every size."""
    sweep, data = builder.sweep, builder.data
    for name in sweep.target_names:
        target = data.dataset(name, variant.data[name])
        yield from plan_sizes(builder, variant, {"source": None, "target": name}, target)
        for other in sweep.source_names:
            if other != name:
                source = data.dataset(other, variant.data[other])
                yield from _plan_pair(builder, variant, source, target)


def _plan_pair(builder: StageBuilder, variant: Variant, source: Dataset, target: Dataset) -> Iterator[DatasetRun]:
    """Plan a pair: a source is trained once per seed; with `share_sources: sweep` once, and so measured alone once."""
    seeds = builder.sweep.seed_values
    shared = builder.sweep.share_sources == "sweep"
    for size in (0, *builder.sweep.size_values):
        cell = {"source": source.name, "target": target.name, "size": size, **variant.cell}
        for seed in seeds[:1] if shared and not size else seeds:
            first = seeds[0] if shared else seed
            yield DatasetRun(builder, variant, cell, seed, target, size, source, first)


def list_values(sweep: SweepFields) -> Mapping[str, Any]:
    """List what the cells hold besides what is varied."""
    return {"source": (None, *sweep.source_names), "target": sweep.target_names, "size": list_sizes(sweep)}


def count_axes(sweep: SweepFields) -> Mapping[str, int]:
    """Count the pairs, and the targets alone."""
    pairs = sum(source != target for source in sweep.source_names for target in sweep.target_names)
    return {"pairs and targets": pairs + len(sweep.target_names)}


def list_defaults(sweep: SweepFields) -> list[tuple[str, Json]]:
    """List what follows from the rest of the file where it is left out."""
    taken: dict[str, Json] = {}
    if sweep.sources is None:
        taken["sources"] = list(sweep.source_names)
    if sweep.targets is None:
        taken["targets"] = list(sweep.target_names)
    if sweep.source_size is None and "source_size" not in sweep.vary:
        taken["source_size"] = "all there is"
    return list(taken.items())


def list_asked(spec: Spec) -> list[MetricWish]:
    """List the metrics that gains are of: those that the file names, or else the loss."""
    return list_wishes(spec) or [MetricWish(metric=find_metric(spec), mode=None)]


def compute_matrix(rows: Sequence[RunResult], wish: MetricWish, items: ItemsBy) -> TransferMatrix:
    """Compute the matrix of one metric. Raises DataError if its direction is not known."""
    if wish.mode is None and not is_directed(wish.metric):
        raise DataError(f"{wish.metric}: {ask_direction(wish.metric)}")
    better: Better | None = {"min": "lower", "max": "higher"}[wish.mode] if wish.mode else None  # type: ignore[assignment]
    kept, on_source = (select_items(items, name) for name in (wish.metric, f"{SOURCE}{wish.metric}"))
    sign = 1.0 if choose_direction(wish.metric, better) == "lower" else -1.0
    return fill_matrix(rows, wish.metric, sign, kept, on_source)


def find_guessing_targets(rows: Sequence[RunResult], metric: str, items: ItemsBy) -> dict[str, Guess]:
    """Find the targets on which no training is clearly better than a guess: a gain there is one between guesses."""
    kept, guesses = select_items(items, metric), dict[str, Guess]()
    for target in dict.fromkeys(str(row.cell.get("target")) for row in rows):
        trained = [row for row in rows if row.cell.get("target") == target and (row.cell["source"] or row.cell["size"])]
        if guess := find_unbeaten(trained, metric, kept):
            guesses[target] = guess
    return guesses


def list_matrices(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> list[Fact]:
    """List the matrix of each variant, by each metric."""
    return [
        {
            "variant": dict(on),
            "metric": wish.metric,
            "unit": find_target_unit(spec, group).many,
            "no_better_than": simplify(find_guessing_targets(group, wish.metric, items)),
            **simplify(compute_matrix(group, wish, items)),
        }
        for wish in list_asked(spec)
        for on, group in group_by_cell(rows, without=AXES)
    ]


def conclude(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Conclusion:
    """Conclude from the first metric whether a source helps, for each variant."""
    (wish, *others), variants = list_asked(spec), split_variants(rows, AXES)
    if wish.mode is None and not is_directed(wish.metric):
        return refuse_direction(wish.metric)
    answers = (1 + len(others)) * len(variants)
    return gather(
        [
            _conclude_variant(spec, wish, group, items, place, several=answers > 1)
            for place, group in list_measured_first(variants)
        ],
        answers,
    )


def _conclude_variant(
    spec: Spec, wish: MetricWish, group: Sequence[RunResult], items: ItemsBy, place: str, *, several: bool
) -> Conclusion:
    rises = wish.mode == "max" if wish.mode else choose_direction(wish.metric) == "higher"
    matrix, sign = compute_matrix(group, wish, items), 1.0 if rises else -1.0
    unit = find_target_unit(spec, group)
    kept, guessing = select_items(items, wish.metric), find_guessing_targets(group, wish.metric, items)
    return conclude_transfer(
        matrix, group, wish.metric, sign, items=kept, guessing=guessing, place=place, several=several, unit=unit
    )


def answer_transfer(spec: Spec, rows: Sequence[RunResult], items: ItemsBy, conclusion: Conclusion) -> Answer:
    """Say which source helps which target by each metric, with a matrix for each variant and size."""
    unit = find_target_unit(spec, rows)
    sentences, sections, asked = list[str](), list[Section](), list_asked(spec)
    for number, wish in enumerate(asked):
        by = f", by {wish.metric}" if len(asked) > 1 else ""
        for place, (variant, group) in enumerate(split_variants(rows, AXES)):
            where = f" ({variant})" if variant else ""
            try:
                matrix = compute_matrix(group, wish, items)
            except SweepsError as error:
                sentences.append(f"No matrix{where}: {error}.")
                continue
            sizes = [size for size in sorted(matrix.sizes, reverse=True) if size]
            for size in sizes:
                place_name = ", ".join(filter(None, (variant, f"with {unit.write_of_target(size)}")))
                headline = find_claim(conclusion, wish.metric, place=place_name)
                sentence = summarise_size(matrix, size, where, wish.metric, unit, headline=headline)
                sentences += [sentence] if sentence else []
            sentences += compare_sources(matrix, where, unit)
            sentences += [summarise_forgetting(matrix, size, where, unit) for size in sizes[:1]]
            guesses = find_guessing_targets(group, wish.metric, items)
            sentences += [
                f"On {target}{where}, no training is clearly better than {guess.words} ({guess.share:.4f})."
                for target, guess in guesses.items()
            ]
            name = f"transfer-{number}-{place}" if number else f"transfer-{place}"
            parts = tuple(show_matrix(name, matrix, wish.metric, unit))
            sections.append(Section(f"Who helps whom{by}?{where}", parts))
    return Answer(tuple(filter(None, sentences)), tuple(sections))


def find_target_unit(spec: Spec, rows: Sequence[RunResult]) -> SizeUnit:
    """Find what the sizes count, which are those of the targets."""
    return find_unit(spec, dict.fromkeys(str(row.cell.get("target")) for row in rows))


def summarise_size(
    matrix: TransferMatrix,
    size: int,
    where: str,
    metric: str = NLL.name,
    unit: SizeUnit = EXAMPLES,
    *,
    headline: Conclusion | None = None,
) -> str:
    """Say in one sentence what is clear at one size, besides the pair that the headline names; "" for nothing."""
    count = unit.write_of_target(size)
    cells = [cell for cell in matrix.cells if cell.size == size]
    clear = sorted((cell for cell in cells if cell.after_holm and cell.gain), key=_measure_strength, reverse=True)
    few = sum(cell.verdict == "too_few_items" for cell in cells)
    missing = sum(cell.gain is None for cell in cells) - few
    lacking = f"; without a result: {missing} of {len(cells)} pairs" if missing else ""
    lacking += f"; fewer than {FEWEST} items tell {metric}: {few} of {len(cells)} pairs" if few else ""
    known = [cell.gain for cell in cells if cell.gain]
    if not known:
        return f"With {count}{where} no pair has a result{lacking if few else ''}."
    if all(gain.half_width is None for gain in known):
        why = "the seeds of each pair agree" if any(gain.seeds > 1 for gain in known) else "each pair has one seed"
        return f"With {count}{where} {why}, so no difference can be judged{lacking}."
    if not clear:
        return f"With {count}{where} no source clearly helps or hurts{lacking}."
    others = len(known) - len(clear)
    unclear = f"; not clear: {others} of {format_count(len(cells), 'pair')}" if others else ""
    left = [cell for cell in clear if headline is None or f"{cell.source} → {cell.target}" != headline.subject]
    if left:
        also = " also" if len(left) < len(clear) else ""
        return f"With {count}{where}{also}: {_list_clear(left, metric)}{unclear}{lacking}."
    rest = f"{unclear}{lacking}".removeprefix("; ")
    return f"With {count}{where}: {rest}." if rest else ""


def summarise_forgetting(matrix: TransferMatrix, size: int, where: str, unit: SizeUnit) -> str:
    """Say in one sentence what training on the target clearly did to the source at one size."""
    cells = [cell for cell in matrix.cells if cell.size == size and cell.forgetting]
    if all(cell.forgetting is None or cell.forgetting.half_width is None for cell in cells):
        return ""
    clear = sorted((cell for cell in cells if cell.source_after_holm), key=_measure_loss, reverse=True)
    start = f"After {unit.write_of_target(size)}{where}"
    if not clear:
        return f"{start} no source is clearly forgotten."
    named = ", ".join(
        f"{cell.source} is {'forgotten' if cell.source_verdict == 'forgotten' else 'better'} after {cell.target} "
        f"({format_estimate(cell.forgetting, 3, signed=True)})"
        for cell in clear[:FEW]
        if cell.forgetting
    )
    left = len(clear) - FEW
    more = f"; {format_count(left, 'more pair')} {'is' if left == 1 else 'are'} clear" if left > 0 else ""
    unclear = f"; not clear: {len(cells) - len(clear):,} of {format_count(len(cells), 'pair')}"
    return f"{start} {named}{more}{unclear if len(clear) < len(cells) else ''}."


def _measure_loss(cell: TransferCell) -> float:
    return abs(cell.forgetting.mean) if cell.forgetting else 0.0


def _list_clear(cells: Sequence[TransferCell], metric: str) -> str:
    named = ", ".join(
        f"{cell.source} → {cell.target} {cell.verdict} ({format_estimate(cell.gain, 3, signed=True)})"
        for cell in cells[:FEW]
        if cell.gain
    )
    more = count_more_pairs([cell.verdict for cell in cells[FEW:]])
    return f"{named}{more} ({name_unit(metric)}, 95 % intervals)"


def _measure_strength(cell: TransferCell) -> float:
    return abs(cell.gain.mean) if cell.gain else 0.0


EXPERIMENT = Experiment(
    name="transfer",
    title="transfer",
    question="Does training on one thing help another?",
    needs=("train", "sizes"),
    takes=("train", "sizes", "sources", "targets", "source_size", "share_sources"),
    plan_runs=plan_transfer,
    conclude=conclude,
    answer=answer_transfer,
    facts_key="transfer",
    list_facts=list_matrices,
    list_cell_values=list_values,
    count_axes=count_axes,
    rules=((("experiment", "data", "sources", "targets"), check_pairs),),
    list_defaults=list_defaults,
)
