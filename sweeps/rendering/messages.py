"""Say whether records have messages, and build chats of pairs of messages."""

from sweeps.data.preference_pairs import SIDES, divide
from sweeps.records import Records, Row
from sweeps.rendering.chats import mark_as_read


def has_messages(records: Records) -> bool:
    """Say whether a renderer makes a difference to the records: text is read as it is."""
    if records.format == "preference":
        return any(map(is_pair_of_messages, records.rows))
    return records.format in ("chat", "questions")


def is_pair_of_messages(row: Row) -> bool:
    return any(not isinstance(row[key], str) for key in ("prompt", "chosen", "rejected"))


def build_conversation(row: Row, side: str) -> Row:
    """Build one side of a preference pair as a chat: only the messages that answer the prompt bear loss."""
    prompt, *answers = divide(row)
    answer = answers[SIDES.index(side)]
    read = [mark_as_read(message) for message in prompt]
    tools = {"tools": row["tools"]} if row.get("tools") else {}
    return {"messages": [*read, *answer], **tools}
