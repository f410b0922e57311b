"""A sentence for people that carries a code for programs."""


class CodedText(str):
    """A text with the code of what it says. It is the text wherever a text is expected."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, code: str, text: str) -> "CodedText":
        """Make the text."""
        made = super().__new__(cls, text)
        made.code = code
        return made


def read_code(text: str | None) -> str:
    """Read the code of a text; "" where it has none."""
    return text.code if isinstance(text, CodedText) else ""
