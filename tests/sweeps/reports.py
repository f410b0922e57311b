"""Sweeps of every kind as plain values, and a page read as strictly as a browser is lenient."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

from sweeps.cost import KindCosts
from sweeps.evaluation.item_rows import ItemRow
from sweeps.report.compose import compose_answer
from sweeps.report.document import Figure, Paragraph, Report, Section, Table
from sweeps.report.inputs import DataUse, LearningCurve, LostStages, Material
from sweeps.report.table_cells import TableCell
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey, Items, item_key

VOID = {"meta", "br", "hr", "img", "link", "input"}
SHAPES = {"rect", "line", "path", "circle", "polygon"}  # of SVG, which close themselves
RATES = (1e-4, 3e-4, 1e-3)
LOADS = {"src", "srcset", "xlink:href", "data", "poster", "action", "background"}


@dataclass
class Page(HTMLParser):
    """What stands in a page: raises AssertionError where a tag is not closed or an id is there twice."""

    text: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> says something twice: {attrs}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES | VOID | {"g", "title", "desc"}, f"<{tag}/> closes nothing in HTML"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> where <{self.open[-1]}> is open"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(html: str) -> Page:
    """The page, found to be whole: balanced, with ids that are one of a kind, and asking nothing of the network."""
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.tags:
        assert not LOADS & attributes.keys(), f"<{tag}> loads something"
        assert not [name for name in attributes if name.startswith("on")], f"<{tag}> runs something"
        assert (attributes.get("href") or "#").startswith("#"), f"<{tag}> leads outside"
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "link", "base"} == set()
    assert "://" not in html.replace(":&#47;&#47;", ""), "an address of somewhere else"
    return page


def scaling_rows(data: Sequence[str] = ("code",), seeds: int = 3, top: int = 2048) -> list[RunResult]:
    """L = 1.5 + 3·(n + 20)^-0.3 with a little noise, and the untrained base."""
    chance, rows = random.Random(3), list[RunResult]()
    for name in data:
        rows.append(row({"data": name, "size": 0}, 0, nll=2.9))
        sizes = [2**power for power in range(5, top.bit_length())]
        rows += [
            row({"data": name, "size": size}, seed, nll=1.5 + 3 * (size + 20) ** -0.3 + chance.gauss(0, 0.004))
            for size in sizes
            for seed in range(seeds)
        ]
    return rows


def transfer_rows(names: Sequence[str] = ("code", "law"), sizes: Sequence[int] = (0, 128)) -> list[RunResult]:
    """The first source helps the others by 0.1, the others hurt it by 0.05; all forget. Twice the data: 0.08 less."""
    chance, rows = random.Random(5), list[RunResult]()
    for source in (None, *names):
        for target in names:
            for size in sizes if source != target else ():
                gain = 0.0 if source is None else 0.1 if source == names[0] else -0.05
                for seed in range(3):
                    cell: dict[str, Json] = {"source": source, "target": target, "size": size}
                    values = {"nll": 2 - (0.08 * math.log2(size / 16) if size else 0) - gain + chance.gauss(0, 0.004)}
                    if source is not None:
                        values["source.nll"] = 2 + (0.1 if size else 0) + chance.gauss(0, 0.004)
                    rows.append(RunResult(cell, seed, "succeeded", values, stage=f"train-{source}{target}{size}{seed}"))
    return rows


def compare_rows() -> list[RunResult]:
    """The untrained model, sl, and sl then rl."""
    values = {"sl": (0.5, 0.6, 0.7), "rl": (0.8, 0.85, 1.0)}
    rows = [replace(row({"method": None}, 0, task_completion=0.1), stage=None)]
    for method, scores in values.items():
        for seed, score in enumerate(scores):
            before = (f"train-sl-{seed}",) if method == "rl" else ()
            rows.append(replace(row({"method": method}, seed, task_completion=score), before=before))
    return rows


def grid_rows(cells: int = 30) -> list[RunResult]:
    """Of two axes, where there are several: the rate 3e-4 takes 0.1 off the loss, each rank adds 0.03."""
    chance, rows = random.Random(7), list[RunResult]()
    for place in range(cells):
        rank, rate = place // len(RATES), RATES[place % len(RATES)]
        cell: dict[str, Json] = {"data": "mine", "rank": rank}
        cell |= {"learning_rate": rate} if cells > 1 else {}
        loss = 2 + rank * 0.03 - (0.1 if rate == RATES[1] else 0)
        rows += [row(cell, seed, nll=loss + chance.gauss(0, 0.01)) for seed in range(2)]
    return rows


def row(cell: Mapping[str, Json], seed: int, state: str = "succeeded", **metrics: float) -> RunResult:
    named = "-".join(map(str, (*cell.values(), seed)))
    return RunResult(cell, seed, state, metrics, steps=10, tokens=1000, micro_usd=400, stage=f"train-{named}")


def answers_of(rows: Sequence[RunResult], count: int = 60) -> Items:
    """What each run has answered: the untrained are too sure of themselves, the trained hardly."""
    chance, items = random.Random(11), dict[ItemKey, list[ItemRow]]()
    for row in rows:
        trained = bool(row.cell.get("method") or row.cell.get("size"))
        answers = items.setdefault(item_key(row.cell, row.seed), [])
        for item in range(count):
            stated = chance.betavariate(2, 1)
            right = chance.random() < (stated if trained else stated**3)
            values = {"confidence": stated, "right": float(right), "accuracy": float(right)}
            answers.append(ItemRow(f"q{item}", values))
    return items


def curves_of(rows: Sequence[RunResult], points: int = 60) -> list[LearningCurve]:
    return [_curve(row.stage, points, acts=row.cell.get("method") == "rl") for row in rows if row.stage]


def _curve(stage: str, points: int, *, acts: bool) -> LearningCurve:
    values = [0.2 + 0.01 * step if acts else 3 / (step + 1) ** 0.2 for step in range(points)]
    return LearningCurve(
        stage, stage, "reward" if acts else "nll", [(step + 1, value) for step, value in enumerate(values)]
    )


EXPERIMENTS: Mapping[str, tuple[list[RunResult], dict[str, Json]]] = {
    "data_scaling": (
        scaling_rows(("code", "law")),
        {"target": {"metric": "nll", "below": 0.7, "of": "zero_shot"}},
    ),
    "transfer": (transfer_rows(), {}),
    "compare": (compare_rows(), {"evaluate": [{"name": "task_completion"}], "equal": {"tokens": 2e5}}),
    "grid": (grid_rows(), {"best": {"metric": "nll", "mode": "min"}}),
}


ANSWERED = ("compare", "data_scaling")  # whose runs have answered questions


def material(experiment: str, rows: Sequence[RunResult] | None = None, **changes: object) -> Material:
    """A finished sweep of this kind, with something of everything."""
    own, spec = EXPERIMENTS[experiment]
    rows = own if rows is None else rows
    whole: dict[str, object] = {
        "sweep": "night",
        "state": "finished",
        "spec": {"sweep": "night", "question": "What helps?", "experiment": experiment, "model": "offline/s", **spec},
        "rows": rows,
        "stages": {"succeeded": len(rows)},
        "spending": [KindCosts("train", 3, 1_000_000, 2_000_000, 0, 1_500_000, 0, 0, 1000)],
        "curves": curves_of(rows),
        "items": {"answers": answers_of(rows)} if experiment in ANSWERED else {},
        "defaults": {"train.rank": 32},
        "data": [DataUse("ab" * 32, "train", 3, "code n=32")],
        "versions": {"python": "3.11"},
        "price_dates": ("2026-11-22", "2026-11-22"),
        "made": "2026-11-25 22:57 UTC",
    }
    return Material(**{**whole, **changes})  # type: ignore[arg-type]  # by name, as the test says


def crowded() -> Material:
    """A transfer between five domains at three sizes: as many maps as people draw."""
    names = ("code", "reference", "science", "legal", "a domain with a long name")
    return material("transfer", transfer_rows(names, (0, 32, 128, 512)))


def trouble(cause: str, count: int = 1, state: str = "failed") -> LostStages:
    return LostStages(state, cause, [f"code n={number}" for number in range(count)])


def conclude(spec: Mapping[str, Json], rows: Sequence[RunResult], items: Mapping[str, Items] | None = None) -> Report:
    """The answer alone, as `sweep results` has it."""
    return compose_answer(Material("s", "finished", spec, rows, items=items or {}))


def list_tables(sections: Sequence[Section]) -> list[Table]:
    """Every table, those of figures as well, in their order."""
    parts = [part for section in sections for part in section.parts]
    return [part.table if isinstance(part, Figure) else part for part in parts if isinstance(part, Figure | Table)]


def list_rows(report: Report, column: str) -> list[dict[str, TableCell]]:
    """The rows of every table of the answer that has a column, by column."""
    tables = [table for table in list_tables(report.findings) if column in table.columns]
    return [dict(zip(table.columns, row, strict=True)) for table in tables for row in table.rows]


def list_warnings(report: Report) -> list[str]:
    """The warnings among the parts of the answer."""
    parts = [part for section in report.findings for part in section.parts]
    return [part.text for part in parts if isinstance(part, Paragraph) and part.warning]


STYLE = "".join((Path(__file__).parents[2] / "scheduler" / f"{name}.css").read_text() for name in ("figure", "report"))
EVIL = (
    "</title></style></svg><script>alert('x')</script><img src=x onerror=alert(1)>"
    '" onload="x\x00\ud800]]>--> & `|` @all'
)


def hostile(experiment: str) -> Material:
    """Somebody's words wherever words can be."""
    asked: dict[str, Json] = {"experiment": experiment, "question": EVIL, "model": EVIL, EVIL: [EVIL, {EVIL: EVIL}]}
    spec = {**EXPERIMENTS[experiment][1], **asked}

    def renamed(run: RunResult) -> RunResult:
        cell = {key: f"{EVIL}{value}" if isinstance(value, str) else value for key, value in run.cell.items()}
        return replace(run, cell=cell, state=run.state)

    rows = [renamed(run) for run in EXPERIMENTS[experiment][0]]
    rows += [replace(rows[-1], state="failed", metrics={}, seed=99)]
    return material(
        experiment,
        rows,
        sweep=EVIL,
        state=EVIL,
        spec=spec,
        troubles=[trouble(EVIL)],
        defaults={EVIL: EVIL},
        versions={EVIL: EVIL},
        curves=[replace(curve, label=EVIL) for curve in curves_of(rows)],
    )
