"""What a message names, whatever its sentences are: places, keys, values and numbers, each as a word of its own.

A test asserts these, and leaves the sentences free to improve. Found within another word nothing counts: 100 is not
named by 1000.
"""

import re


def naming(*values: object) -> str:
    """Return a pattern that matches a text with all these values in it, in any order."""
    assert values, "a pattern of nothing matches everything"
    return "(?s)" + "".join(f"(?=.*{_as_a_word(str(value))})" for value in values)


def lacks(message: str, facts: str) -> list[str]:
    """List the words of `facts` that the message does not name."""
    assert facts.split(), "of nothing a message lacks nothing"
    return [word for word in facts.split() if not re.search(_as_a_word(word), message)]


def _as_a_word(text: str) -> str:
    """Where the text begins or ends with a letter or a digit, none may stand beside it."""
    before = r"(?<!\w)" if text[:1].isalnum() else ""
    behind = r"(?!\w)" if text[-1:].isalnum() else ""
    return before + re.escape(text) + behind
