"""The faces that a report has for people, each as text."""

import io
from collections.abc import Callable, Mapping

from rich.console import Console

from scheduler.cli.console.output import Output
from scheduler.cli.console.report_face import show_report
from sweeps.report.document import Report
from sweeps.report.html import render_html
from sweeps.report.markdown import render_markdown


def print_report(report: Report) -> str:
    """Print it as the terminal shows it, in wide lines."""
    text = io.StringIO()
    show_report(Output("table", Console(file=text, width=300)), report)
    return text.getvalue()


FACES: Mapping[str, Callable[[Report], str]] = {
    "terminal": print_report,
    "page": lambda report: render_html(report, ""),
    "markdown": render_markdown,
}
