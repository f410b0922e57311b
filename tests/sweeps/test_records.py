"""Content has an address: equal records share it, and the bytes that carry them bring it back."""

import pytest

from sweeps.errors import DataError
from sweeps.records import Records, hash_contents

TEXT = Records("text", ({"text": "one"}, {"text": "zwei ü"}))


def test_bytes_carry_the_content_and_nothing_else() -> None:
    content = TEXT.to_jsonl()
    assert content == Records("text", TEXT.rows).to_jsonl()
    assert Records.from_jsonl(content, sha256=TEXT.sha256) == TEXT


def test_the_address_depends_on_rows_order_and_format_and_not_on_key_order() -> None:
    pair = Records("completion", ({"prompt": "a", "completion": "b"},))
    assert pair.sha256 == Records("completion", ({"completion": "b", "prompt": "a"},)).sha256
    others = [
        TEXT,
        Records("text", TEXT.rows[::-1]),
        Records("text", TEXT.rows[:1]),
        Records("chat", TEXT.rows),
    ]
    assert len({records.sha256 for records in others}) == 4


@pytest.mark.parametrize("content", [b"", b"not gzip", TEXT.to_jsonl()[:-9], TEXT.to_jsonl()])
def test_other_content_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^records: "):
        Records.from_jsonl(content, sha256="0" * 64)


def test_white_space_does_not_make_content_different() -> None:
    same = hash_contents([{"text": "a  b\n"}, {"text": "a b"}, {"text": "ab"}])
    assert same[0] == same[1] != same[2]
