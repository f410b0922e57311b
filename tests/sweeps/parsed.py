"""Records as tests write them: the rows of a file in its text, and how long each is once it is rendered."""

from sweeps.data.rows import Parsed, read_rows
from sweeps.data.text_formats import read_json_lines
from sweeps.records import Format, Records
from sweeps.rendering.render import measure_inputs
from sweeps.rendering.tokenizer import Tokenizer


def parse_jsonl(text: str, where: str, form: Format | None) -> Parsed:
    """One JSON object a line."""
    return read_rows(read_json_lines(text, where), where, form)


def measure_lengths(records: Records, tokenizer: Tokenizer, renderer: str = "plain") -> list[int]:
    """The tokens of each record, of a pair those of both sides."""
    return [sum(row) for row in measure_inputs(records, tokenizer, renderer)]
