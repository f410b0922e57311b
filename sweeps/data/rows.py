"""Raw rows to rows of one format, and what is wrong with them, each by its place."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from sweeps.data.columns import ColumnReader, RowLabels
from sweeps.data.foreign_formats import BadRow, ForeignFormat, detect_format, load_if_json
from sweeps.data.preference_pairs import SIDES, divide
from sweeps.data.text_formats import Found
from sweeps.errors import DataError
from sweeps.formatting import format_count
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
SEEN = ("images", "image", "audios", "audio", "videos", "video")
WEIGHTS = ("weight", "loss_weight", "sample_weight")
FLAGS = ("train", "trainable", "loss")
CALLING = ("tools", "functions", "chat_template_kwargs")
CHANGES = frozenset((*SEEN, *WEIGHTS, *FLAGS, *CALLING, *SIDES, "label"))  # of how a row is learnt


class Parsed(NamedTuple):
    """Rows of one format, sentences about how they were read, and of each row where it stood."""

    form: Format
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    origins: tuple[Origin, ...] = ()
    labels: tuple[RowLabels, ...] = ()


How = tuple[ForeignFormat, tuple[str, ...]]  # a shape, and which of the keys that it may have besides were there


class _Read(NamedTuple):
    row: dict[str, Any]
    how: How
    unread: frozenset[str]


def read_rows(entries: Iterable[Found], where: str, form: Format | None, columns: ColumnReader | None = None) -> Parsed:
    """Check rows from any source, and bring them into one format: that of their keys, or `form`.

    Raises DataError with the first five bad rows by their origin, and how many there are.
    """
    asked = form is not None
    columns = columns or ColumnReader()
    kept: list[tuple[Origin, dict[str, Any]]] = []
    labels: list[RowLabels] = []
    findings: list[str] = []
    hows: Counter[How] = Counter()
    unread: set[str] = set()
    for origin, value in entries:
        try:
            value, labelled = columns.read(value)  # noqa: PLW2901
            form, read = _read(value, form, asked=asked, used=columns.used)
        except BadRow as finding:
            findings.append(f"{origin}: {finding}")
        else:
            kept.append((origin, read.row))
            labels.append(labelled)
            hows[read.how] += 1
            unread |= read.unread
    columns.refuse_absent(where)
    notes: tuple[str, ...] = ()
    if form == "preference":
        notes = _take_prompts_off(kept, findings, where)
    if findings:
        _refuse(findings)
    if form is None or not kept:
        raise DataError(f"{where}: expected one object on each line, got no rows; write {CHOICES}")
    notes = (*_describe_reading(where, form, hows, unread), *notes)
    return Parsed(form, tuple(row for _, row in kept), notes, tuple(origin for origin, _ in kept), tuple(labels))


def _describe_reading(where: str, form: Format, hows: Counter[How], unread: set[str]) -> tuple[str, ...]:
    """Describe which format was recognised, and what was left out."""
    by: Counter[str] = Counter()
    for (shape, besides), count in hows.items():
        keys = _name_keys((*shape.keys, *besides))
        by[f"from {shape.how} ({keys})" if shape.how else f"({keys})"] += count
    seen = "; ".join(f"{format_count(count, 'row')} read as {form} {how}" for how, count in by.items())
    ignored = (f"{where}: keys not used: {', '.join(sorted(unread))}",) if unread else ()
    return (f"{where}: {seen}", *ignored)


def _name_keys(keys: Sequence[str]) -> str:
    """Name the keys of a row: "key `text`", "keys `question` and `answer`"."""
    *most, last = [f"`{key}`" for key in keys]
    return f"keys {', '.join(most)} and {last}" if most else f"key {last}"


def _read(value: object, form: Format | None, *, asked: bool, used: Container[str]) -> tuple[Format, _Read]:
    """Read one row in the format of the file, which the first row decides; the spec names the `used` columns."""
    if isinstance(value, BadRow):
        raise value
    if not isinstance(value, dict):
        raise BadRow(f"expected an object, such as {EXAMPLES['text']}, got a JSON {_kind(value)}")
    seen = detect_format(value, form, asked=asked)
    if seen is None:
        _refuse_unknown(value, form, asked=asked)
    row = _check_row(seen.row, value, seen.form)
    rest = value.keys() - row.keys() - {*seen.shape.keys, *seen.besides}
    unread = frozenset(key for key in rest if key not in used and not _is_nothing(value[key]))
    if unread & CHANGES:
        _refuse_what_changes(value, unread & CHANGES, seen.form, asked=asked)
    return seen.form, _Read(row, (seen.shape, seen.besides), unread)


def _refuse_unknown(row: Row, form: Format | None, *, asked: bool) -> NoReturn:
    if form is None:
        raise BadRow(f"expected {CHOICES}, got the keys {', '.join(sorted(map(str, row))) or 'none'}")
    other = next((f"a {known} row" for known, keys in KEYS.items() if row.keys() >= {*keys}), "a row")
    missing = [key for key in KEYS[form] if key not in row] or KEYS[form]
    why = f"`format: {form}` is set" if asked else f"the rows before it are {form} rows"
    raise BadRow(f"expected {EXAMPLES[form]}, because {why}; got {other} without {', '.join(missing)}")


def _refuse_what_changes(row: Row, unread: frozenset[str], form: Format, *, asked: bool) -> None:
    """Refuse keys beside a row that say how to learn it: what they say would be lost silently."""
    for key in sorted(unread):
        value = row[key]
        if key in SEEN:
            raise BadRow(f"{key}: expected text only; leave the row out, or describe it in words")
        if key in WEIGHTS and value not in (1, "1", "1.0"):
            raise BadRow(
                f"{key}: got {value!r}, but all rows have the same weight; leave it out, or repeat or drop rows"
            )
        if key in FLAGS and str(value).lower() in ("false", "0", "0.0"):
            raise BadRow(f"{key}: got {value!r}, but every row is trained on; drop this one")
        if key == "label" and form in ("completion", "chat") and str(value).lower() in ("true", "false"):
            raise BadRow(
                f"label: got {value!r}; if it marks good answers, keep only those, or write pairs; else rename it"
            )
        if key in CALLING:
            advice = "`tools` in rows of messages" if key == "functions" else "messages without it, or with `tools`"
            raise BadRow(f"{key} cannot be used in {form} rows; write {advice}")
        if key in SIDES and not asked:
            raise BadRow(f"{key} has no second side; write both for pairs, or `format: {form}` to ignore it")


def _is_nothing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, list | dict) and not value)


def _check_row(row: dict[str, Any], whole: Row, form: Format) -> dict[str, Any]:
    """Check a row, and keep only the keys of its format."""
    if form == "chat":
        _check_messages(row["messages"])
        return {"messages": row["messages"], **_tools(whole)}
    if form == "questions":
        return _question(_several(row))
    if form == "transcript":
        return {"parts": _parts(load_if_json(row["parts"], "parts"))}
    for key in KEYS[form]:
        _check_text(row[key], key, form)
    return _pair(row, whole) if form == "preference" else {key: row[key] for key in KEYS[form]}


def _pair(row: dict[str, Any], whole: Row) -> dict[str, Any]:
    """Build one prompt and two answers; if one of the three is messages, all become messages."""
    if any(isinstance(value, list) for value in row.values()):
        try:
            row = dict(divide(row)._asdict())
        except DataError as error:
            raise BadRow(str(error)) from None
        if any(_says_nothing(row[side][-1]) for side in SIDES):
            raise BadRow("expected text at the end of each side, got an empty answer")
    if _is_same(*(row[side] for side in SIDES)):
        raise BadRow("expected different answers, got the same as chosen and rejected; drop the row")
    return {key: row[key] for key in KEYS["preference"]} | _tools(whole)


def _says_nothing(message: Row) -> bool:
    return not message.get("tool_calls") and isinstance(message["content"], str) and not message["content"].strip()


def _is_same(chosen: Any, rejected: Any) -> bool:
    return bool(chosen.strip() == rejected.strip() if isinstance(chosen, str) else chosen == rejected)


def _take_prompts_off(kept: list[tuple[Origin, dict[str, Any]]], findings: list[str], where: str) -> tuple[str, ...]:
    """Sides in text that begin with the prompt: taken off where all do, refused where only some do.

    A short prompt may begin an answer by chance; one of several words does not.
    """
    texts = [(origin, row) for origin, row in kept if isinstance(row["prompt"], str) and row["prompt"].strip()]
    begun = [(origin, row, _count_begun(row)) for origin, row in texts]
    if texts and all(begins == len(SIDES) for _, _, begins in begun):
        for _, row in texts:
            row |= {side: row[side][len(row["prompt"].rstrip()) :] for side in SIDES}
            if row["prompt"] != row["prompt"].rstrip():  # the space at its end stands at their beginning, too
                row |= {side: row[side].removeprefix(row["prompt"][len(row["prompt"].rstrip()) :]) for side in SIDES}
        findings += [
            f"{origin}: expected an answer after the prompt, got the prompt alone"
            for origin, row in texts
            if not all(row[side].strip() for side in SIDES)
        ]
        return (f"{where}: chosen and rejected begin with the prompt, which was removed",)
    findings += [
        f"{origin}: expected the answers alone, got a side that begins with the prompt; not all sides do"
        for origin, row, begins in begun
        if begins and len(row["prompt"].split()) > 2
    ]
    return ()


def _count_begun(row: Row) -> int:
    """Count the sides that begin with the prompt."""
    return sum(row[side].startswith(row["prompt"].rstrip()) for side in SIDES)


def _several(row: dict[str, Any]) -> dict[str, Any]:
    """Turn one `answer` into the list `answers`."""
    if "answer" not in row:
        return row
    answer = row["answer"]
    if "answers" not in row:
        if not (isinstance(answer, str) and answer.strip()):
            got = "empty text" if isinstance(answer, str) else f"a JSON {_kind(answer)}"
            raise BadRow(f"answer: expected text, or a list of several in `answers`, got {got}")
        return {**row, "answers": [answer]}
    if isinstance(row["answers"], list) and answer not in row["answers"]:
        raise BadRow("answer: expected one of `answers`; keep one of the two keys")
    return row


def _question(row: Row) -> dict[str, Any]:
    """Keep the question, its answers and the known keys beside them; a list has each text once.

    A candidate that stood there twice would never be first, alone.
    """
    example = EXAMPLES["questions"]
    for key in ("question", "context"):
        value = row.get(key)
        if not (isinstance(value, str) and value.strip()) and (key == "question" or not _is_nothing(value)):
            raise BadRow(f"{key}: expected text that is not empty, as in {example}")
    lists = {key: _read_texts(row, key) for key in LISTS if key in row}
    if not lists["answers"]:
        raise BadRow(f"answers: expected at least one, as in {example}")
    if lists.get("candidates") and not {*lists["candidates"]} & {*lists["answers"]}:
        raise BadRow("candidates: expected all choices, with a right answer among them, got no right answer")
    filled = {key: list(dict.fromkeys(texts)) for key, texts in lists.items() if texts}
    return {key: row[key] for key in ("question", "context") if row.get(key)} | filled


def _read_texts(row: Row, key: str) -> list[str]:
    """Read a list of texts, or its JSON; SQuAD keeps it as `text`, beside the place where each begins."""
    values = load_if_json(row[key], key)
    if isinstance(values, dict) and "answer_start" in values:
        values = values.get("text")
    values = [] if _is_nothing(values) else values
    if not isinstance(values, list) or not all(isinstance(text, str) and text.strip() for text in values):
        raise BadRow(f"{key}: expected a list of texts that are not empty, as in {EXAMPLES['questions']}")
    return values


def _tools(row: Row) -> dict[str, Any]:
    """Kept, so that a renderer must write them or refuse them."""
    tools = load_if_json(row.get("tools"), "tools")
    if tools and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        raise BadRow("tools: expected a list with one object for each tool")
    return {"tools": tools} if tools else {}


def _check_text(value: object, key: str, form: Format) -> None:
    may_be_messages = form == "preference" and isinstance(value, list)
    if not may_be_messages and not isinstance(value, str):
        raise BadRow(f"{key}: expected text, as in {EXAMPLES[form]}, got a JSON {_kind(value)}")
    if key != "prompt" and not (value.strip() if isinstance(value, str) else value):
        raise BadRow(f"{key}: expected text to learn from, as in {EXAMPLES[form]}, got empty text")


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _parts(parts: object) -> list[Row]:
    """Keep the two keys of each part of a transcript."""
    if not isinstance(parts, list):
        raise BadRow(f"parts: expected a list, as in {EXAMPLES['transcript']}")
    for index, part in enumerate(parts):
        known = isinstance(part, dict) and isinstance(part.get("text"), str) and isinstance(part.get("loss"), bool)
        if not known:
            raise BadRow(f"parts[{index}]: expected an object with text and loss, as in {EXAMPLES['transcript']}")
    if not any(part["text"] and part["loss"] for part in parts):
        raise BadRow(f'parts: expected at least one with `"loss": true`, as in {EXAMPLES["transcript"]}')
    return [{"text": part["text"], "loss": part["loss"]} for part in parts]


def _check_messages(messages: list[dict[str, Any]]) -> None:
    if not any(message["role"] == "assistant" for message in messages):
        roles = ", ".join(sorted({str(message["role"]) for message in messages}))
        raise BadRow(f"expected a message of the assistant, as in {EXAMPLES['chat']}, got the roles {roles}")


def _refuse(findings: list[str]) -> NoReturn:
    more = [f"… and {len(findings) - SHOWN} more bad lines"] if len(findings) > SHOWN else []
    total = format_count(len(findings), "bad line")
    raise DataError("\n".join([*findings[:SHOWN], *more, f"{total}; nothing was loaded"]))
