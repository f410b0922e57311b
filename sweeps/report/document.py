"""The report of a sweep as one value: sentences, tables with typed values, figures with their data, and no markup.

Three faces show it: `sweeps/report/html.py`, `sweeps/report/markdown.py` and the terminal's, which is
`scheduler/cli/console/report_face.py`. They say the same numbers, because none of them formats any.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sweeps.experiments.caveats import OF_EACH, SAID_IN_SENTENCE, SAID_WITH, WORDS, Caveat, order_caveats
from sweeps.experiments.conclusion import Conclusion, find_reason
from sweeps.figures.charts import Chart, is_point
from sweeps.report.table_cells import TableCell, show_rows


@dataclass(frozen=True)
class Table:
    """Values in columns, each with the text that shows it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    caption: str = ""
    folded: bool = False  # long: a page shows it on a click, and the terminal leaves it to the page

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The rows as they are shown."""
        return tuple(tuple(cell.text for cell in row) for row in self.rows)

    def is_numeric(self, place: int) -> bool:
        """Whether all values of a column are numbers."""
        return all(row[place].is_number for row in self.rows)


@dataclass(frozen=True)
class Figure:
    """A chart, and the same numbers as a table."""

    chart: Chart
    table: Table
    legend: str = ""  # what the marks of the drawing mean
    note: str = ""  # what the numbers mean, drawn or not
    in_cells: bool = False  # the table of cells, which the terminal prints first, has the numbers: they are drawn only

    @property
    def name(self) -> str:
        """Also the name of its file."""
        return self.chart.words.name

    @property
    def title(self) -> str:
        return self.chart.words.title

    @property
    def is_drawn(self) -> bool:
        """Whether the drawing says more than the table; else every face shows the table alone."""
        return not is_point(self.chart)


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; a `warning` stands out."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Code:
    """Text to be shown exactly as it is."""

    text: str
    language: str = ""


Part = Table | Figure | Paragraph | Code


@dataclass(frozen=True)
class Section:
    """A heading and its parts."""

    title: str
    parts: tuple[Part, ...]
    further: bool = False  # the terminal leaves it to the page


@dataclass(frozen=True)
class Report:
    """What a sweep asked and what it found, then what the answer rests on."""

    sweep: str
    question: str
    answer: tuple[str, ...]  # sentences with the details
    notices: tuple[str, ...] = ()  # what the reader must know first
    facts: tuple[tuple[str, str], ...] = ()
    findings: tuple[Section, ...] = ()  # the tables and figures of the answer
    evidence: tuple[Section, ...] = ()  # what it rests on: training curves, failures, costs, every run
    made: str = ""
    conclusion: Conclusion | None = None  # what every face says first

    @property
    def lines(self) -> tuple[str, ...]:
        """The sentences of the conclusion in one line, its caveats, and the details: each sentence once."""
        headline = self.conclusion.sentences if self.conclusion else []
        caveats = describe_caveats(self.conclusion) if self.conclusion else ""
        details = [line for line in self.answer if line not in headline]
        return tuple(dict.fromkeys(filter(None, (" ".join(headline), caveats, *details))))

    @property
    def sections(self) -> tuple[Section, ...]:
        return (*self.findings, *self.evidence)

    @property
    def figures(self) -> list[Figure]:
        """All figures that are drawn, in their order."""
        parts = (part for section in self.sections for part in section.parts)
        return [part for part in parts if isinstance(part, Figure) and part.is_drawn]


@dataclass(frozen=True)
class Answer:
    """What the rows say about the question: sentences, and the sections that show it."""

    sentences: tuple[str, ...]
    sections: tuple[Section, ...] = ()


def join_answers(answers: Iterable[Answer]) -> Answer:
    """Join answers to one: all sentences, then all sections."""
    listed = tuple(answers)
    sentences, sections = (
        (part for answer in listed for part in answer.sentences),
        (part for answer in listed for part in answer.sections),
    )
    return Answer(tuple(sentences), tuple(sections))


def say_once(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Leave out paragraphs and notes that an earlier section has word for word; warnings stay."""
    seen = set[str]()
    return tuple(replace(section, parts=tuple(_drop_said(section.parts, seen))) for section in sections)


def _drop_said(parts: Iterable[Part], seen: set[str]) -> Iterator[Part]:
    for part in parts:
        text = part.note if isinstance(part, Figure) else part.text if isinstance(part, Paragraph) else ""
        if text and text in seen and not (isinstance(part, Paragraph) and part.warning):
            if isinstance(part, Figure):
                yield replace(part, note="")
            continue
        seen.add(text)
        yield part


def make_table(rows: Sequence[Mapping[str, Any]], *, caption: str = "", folded: bool = False) -> Table:
    """Make a table from rows of plain values and cells; a column that a row lacks is a dash there."""
    return Table(*show_rows(rows), caption, folded)


def drop_empty(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Keep the sections that have parts."""
    return tuple(section for section in sections if section.parts)


def describe_caveats(claim: Conclusion) -> str:
    """Write what limits a claim and its others, in one line; or nothing. A caveat of some of them names these."""
    every = claim.told
    words = []
    for code in order_caveats({code for limited in every for code in limited.caveats}):
        limited = [limited_claim for limited_claim in every if _is_to_be_said(limited_claim, code)]
        if all(find_reason(limited_claim) == code for limited_claim in limited):  # each sentence says it
            continue
        if code in SAID_IN_SENTENCE or (code == "one_of_several" and (claim.others or claim.more)):
            continue
        if code in OF_EACH and all(code in limited_claim.details for limited_claim in limited):
            figures = (f"{limited_claim.subject} {limited_claim.details[code]}" for limited_claim in limited)
            words.append(f"{WORDS[code]}: {', '.join(figures)}")
            continue
        names = dict.fromkeys(limited_claim.subject or limited_claim.place for limited_claim in limited)
        text = "; ".join(dict.fromkeys(limited_claim.details.get(code, WORDS[code]) for limited_claim in limited))
        words.append(text + (f" ({', '.join(names)})" if len(limited) < len(every) and all(names) else ""))
    return f"Caveats: {'; '.join(words)}." if words else ""


def _is_to_be_said(claim: Conclusion, code: Caveat) -> bool:
    """Whether a claim has a caveat that neither its sentence nor another caveat of it says."""
    is_tied = claim.claim == "no_clear_difference" and bool(claim.ties)
    is_said = SAID_WITH.get(code) in claim.caveats or claim.claim == code or (code == "saturated" and is_tied)
    return code in claim.caveats and not is_said
