"""Text to rows: which format they have, and what is wrong with them, line by line."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from sweeps.errors import DataError
from sweeps.records import Format, Origin, Row

SHOWN = 5  # findings in one message; the rest are counted

KEYS: Mapping[Format, tuple[str, ...]] = {
    "chat": ("messages",),
    "preference": ("prompt", "chosen", "rejected"),
    "completion": ("prompt", "completion"),
    "transcript": ("parts",),
    "questions": ("question", "answers"),
    "text": ("text",),
}
EXAMPLES: Mapping[Format, str] = {
    "chat": '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}',
    "preference": '{"prompt": "…", "chosen": "…", "rejected": "…"}',
    "completion": '{"prompt": "…", "completion": "…"}',
    "transcript": '{"parts": [{"text": "…", "loss": false}, {"text": "…", "loss": true}]}',
    "questions": '{"question": "…", "answer": "…"}',
    "text": '{"text": "…"}',
}
LISTS = ("answers", "distractors", "candidates", "variants")  # of a question
CHOICES = "; or ".join(EXAMPLES.values())


class Parsed(NamedTuple):
    """Rows of one format, sentences about how they were read, and of each row where it stood."""

    form: Format
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    origins: tuple[Origin, ...] = ()


class BadRow(Exception):
    """What was found in a line, and what would be right."""


def parse_jsonl(text: str, where: str, form: Format | None) -> Parsed:
    """One JSON object a line, blank lines aside; all of one format, seen from the keys unless `form` says it.

    Raises DataError with the first five bad lines as `where:line`, and how many there are.
    """
    rows: list[Row] = []
    origins: list[Origin] = []
    findings: list[str] = []
    ignored: set[str] = set()
    for number, line in _filled(text):
        try:
            row = _several(_object(line))
            form = form or _seen(row)
            rows.append(_checked(row, form))
        except BadRow as finding:
            findings.append(f"{where}:{number}: {finding}")
        else:
            ignored |= row.keys() - rows[-1].keys()
            origins.append(Origin(f"{where}:", number))
    if findings:
        _refuse(findings)
    if form is None or not rows:
        raise DataError(f"{where}: no rows; one object a line is wanted: {CHOICES}")
    notes = (f"{where}: keys not used: {', '.join(sorted(ignored))}",) if ignored else ()
    return Parsed(form, tuple(rows), notes, tuple(origins))


def parse_paragraphs(text: str, where: str) -> Parsed:
    """One text record for each paragraph; blank lines lie between paragraphs."""
    paragraphs = tuple(_paragraphs(text))
    if not paragraphs:
        raise DataError(f"{where}: no text; paragraphs with blank lines between them are wanted")
    note = f"{where}: read as text, one record for each of {len(paragraphs)} paragraphs between blank lines"
    origins = tuple(Origin(f"{where}:", line) for line, _ in paragraphs)
    return Parsed("text", tuple({"text": paragraph} for _, paragraph in paragraphs), (note,), origins)


def _filled(text: str) -> Iterator[tuple[int, str]]:
    lines = enumerate(text.split("\n"), start=1)  # splitlines would cut inside strings, at U+2028 and the like
    return ((number, line) for number, line in lines if line.strip())


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Each paragraph, and the line on which it begins."""
    lines: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if line.strip():
            lines.append(line.rstrip())
        elif lines:
            yield number - len(lines), "\n".join(lines)
            lines = []


def _object(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line, parse_constant=_no_number)
        if "\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadRow("half of a surrogate pair in a string; valid Unicode is wanted") from None
    except (ValueError, RecursionError) as error:
        raise BadRow(f"not JSON ({error}); one object a line is wanted") from None
    if not isinstance(row, dict):
        raise BadRow(f"a JSON {type(row).__name__}; an object is wanted, such as {EXAMPLES['text']}")
    return row


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _seen(row: Row) -> Format:
    """The format whose keys the row has; the richest one where several fit."""
    for form, keys in KEYS.items():
        if all(key in row for key in keys):
            return form
    raise BadRow(f"keys {', '.join(sorted(row)) or 'none'}; wanted is {CHOICES}")


def _checked(row: Row, form: Format) -> Row:
    """The row with the keys of its format alone."""
    missing = [key for key in KEYS[form] if key not in row]
    if missing:
        other = next((f"a {known} row" for known, keys in KEYS.items() if row.keys() >= {*keys}), "a row")
        raise BadRow(f"{other} without {', '.join(missing)} among {form} rows; wanted is {EXAMPLES[form]}")
    if form == "chat":
        _check_messages(row["messages"])
        return {"messages": row["messages"], **_tools(row)}
    if form == "questions":
        return _question(row)
    if form == "transcript":
        return {"parts": _parts(row["parts"])}
    for key in KEYS[form]:
        _check_text(row[key], key, form)
    return {key: row[key] for key in KEYS[form]} | (_tools(row) if form == "preference" else {})


def _several(row: dict[str, Any]) -> dict[str, Any]:
    """A question may have one answer or several; a record has several."""
    if "question" in row and "answer" in row and "answers" not in row:
        one = row.pop("answer")
        if not (isinstance(one, str) and one.strip()):
            found = "empty" if isinstance(one, str) else f"a JSON {type(one).__name__}"
            raise BadRow(f"answer is {found}; text with something in it is wanted, several as a list in `answers`")
        row["answers"] = [one]
    return row


def _question(row: Row) -> Row:
    """The question with its answers, and of what may stand beside them what does; in a list, each text once.

    A candidate that stood there twice would never be first, alone.
    """
    example = EXAMPLES["questions"]
    for key in ("question", "context"):
        value = row.get(key)
        if not (isinstance(value, str) and value.strip()) and (key == "question" or value is not None):
            raise BadRow(f"{key} is no text with something in it; wanted is {example}")
    for key in LISTS:
        values = row.get(key, [])
        if not isinstance(values, list) or not all(isinstance(each, str) and each.strip() for each in values):
            raise BadRow(f"{key} is no list of texts with something in them; wanted is {example}")
    if not row["answers"]:
        raise BadRow(f"no answer, so nothing to learn and nothing to check; wanted is {example}")
    if row.get("candidates") and not {*row["candidates"]} & {*row["answers"]}:
        raise BadRow("none of the candidates is an answer; all that may be chosen, the right one among them, is wanted")
    lists = {key: list(dict.fromkeys(row[key])) for key in LISTS if row.get(key)}
    return {key: row[key] for key in ("question", "context") if row.get(key)} | lists


def _tools(row: Row) -> dict[str, Any]:
    """Kept, so that a renderer must write them or refuse them."""
    tools = row.get("tools")
    if tools and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        raise BadRow("tools is not a list of objects; one object for each tool is right")
    return {"tools": tools} if tools else {}


def _check_text(value: object, key: str, form: Format) -> None:
    if form == "preference" and isinstance(value, list):  # pairs may be lists of messages
        _check_each(value, key)
    elif not isinstance(value, str):
        raise BadRow(f"{key} is a JSON {type(value).__name__}; text is wanted: {EXAMPLES[form]}")
    if key != "prompt" and not (value.strip() if isinstance(value, str) else value):
        raise BadRow(f"{key} is empty; text to learn from is wanted: {EXAMPLES[form]}")


def _parts(parts: object) -> list[Row]:
    """The parts of a transcript with their two keys alone."""
    if not isinstance(parts, list):
        raise BadRow(f"parts is no list; wanted is {EXAMPLES['transcript']}")
    for index, part in enumerate(parts):
        known = isinstance(part, dict) and isinstance(part.get("text"), str) and isinstance(part.get("loss"), bool)
        if not known:
            raise BadRow(f"parts[{index}] is not an object with text and loss: {EXAMPLES['transcript']}")
    if not any(part["text"] and part["loss"] for part in parts):
        raise BadRow(f"no part that bears loss, so nothing to learn; wanted is {EXAMPLES['transcript']}")
    return [{"text": part["text"], "loss": part["loss"]} for part in parts]


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise BadRow(f"messages is not a filled list; wanted is {EXAMPLES['chat']}")
    _check_each(messages, "messages")
    if not any(message["role"] == "assistant" for message in messages):
        raise BadRow(f"no message of the assistant, so nothing to learn; wanted is {EXAMPLES['chat']}")


def _check_each(messages: list[Any], key: str) -> None:
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str) or "content" not in message:
            raise BadRow(f"{key}[{index}] is not an object with role and content: {EXAMPLES['chat']}")


def _refuse(findings: list[str]) -> NoReturn:
    more = [f"… and {len(findings) - SHOWN} more bad lines"] if len(findings) > SHOWN else []
    raise DataError("\n".join([*findings[:SHOWN], *more, f"{len(findings)} bad in all; nothing was loaded"]))
