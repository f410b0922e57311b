"""Patterns for messages: a test asserts the values that a message names, and leaves its sentences free to improve."""

import re


def naming(*values: object) -> str:
    """Return a pattern that matches a text with all these values in it, in any order."""
    return "(?s)" + "".join(f"(?=.*{re.escape(str(value))})" for value in values)
