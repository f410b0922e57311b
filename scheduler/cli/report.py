"""`sweep report`: write the report of a sweep as a page, as Markdown for a pull request, or as figures."""

import os
import time
from pathlib import Path
from urllib.parse import quote

import click

from scheduler import report_inputs as gathered
from scheduler.cli.console.options import OutputPath, open_store
from scheduler.cli.console.output import Output
from scheduler.cli.console.output_files import write_whole
from scheduler.cli.console.streams import make_exact
from scheduler.settings import read_settings
from sweeps.formatting import format_count
from sweeps.report.compose import compose
from sweeps.report.document import Report
from sweeps.report.html import render_html
from sweeps.report.markdown import render_markdown

FORMS = ("html", "md", "svg", "png")


@click.command()
@click.argument("name")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="html",
    show_default=True,
    help="One HTML page, one Markdown file, or only the figures, a file for each.",
)
@click.option("-o", "--output", "target", type=OutputPath(), help="The file to write; - is the terminal.")
@click.option("--figures", type=OutputPath(), help="Also write every figure as a file into this folder.")
@click.pass_obj
def report(output: Output, name: str, form: str, target: Path | None, figures: Path | None) -> None:
    """Write the report of NAME, finished or not, to a file."""
    if str(figures) == "-" or (form in ("svg", "png") and str(target) == "-"):
        raise click.UsageError("figures: expected a folder, got - (the terminal)")
    settings = read_settings()
    with open_store(settings) as store:
        composed = compose(gathered.gather_inputs(store, name, round(time.time() * 1000), url=settings.store))
    written = []
    if form in ("svg", "png"):
        written += write_figures(composed, figures or target or Path(f"{name}-figures"), form)
    else:
        if figures is not None:
            written += write_figures(composed, figures, "svg")
        written += _write(composed, form, target or Path(f"{name}-report.{form}"), figures)
    _list_written(output, written)


def write_figures(report: Report, folder: Path, form: str) -> list[Path]:
    """Write every figure as a file of this form. Raises FiguresUnavailable."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in report.figures:
        path = folder / f"{figure.name}.{form}"
        write_whole(path, gathered.draw_png(figure) if form == "png" else gathered.write_svg(figure).encode())
        written.append(path)
    return written


def _write(report: Report, form: str, target: Path, figures: Path | None) -> list[Path]:
    folder = None if figures is None else _make_relative(target, figures)
    text = render_html(report, gathered.read_style()) if form == "html" else render_markdown(report, folder)
    if str(target) == "-":
        make_exact()
        click.echo(text, nl=False)
        return []
    write_whole(target, text.encode())
    return [target]


def _make_relative(target: Path, figures: Path) -> str:
    """Give the folder relative to the file that links to it; the terminal counts as the current folder."""
    here = Path() if str(target) == "-" else target.parent
    return quote(Path(os.path.relpath(figures, here)).as_posix())


def _list_written(output: Output, written: list[Path]) -> None:
    if output.for_people:
        sizes = [f"{path} ({path.stat().st_size / 1000:,.0f} kB)" for path in written]
        output.say(
            "\n".join(sizes) if len(sizes) <= 3 else f"{format_count(len(sizes), 'file')}: in {written[0].parent}"
        )
    elif written:
        output.print_rows("files", [{"file": str(path), "bytes": path.stat().st_size} for path in written])


commands = {"report": report}
