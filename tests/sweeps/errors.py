"""What an error must name, whatever its words are: places, keys, values and numbers."""


def lacks(error: str, facts: str) -> list[str]:
    """List the words of `facts` that the error does not contain."""
    return [word for word in facts.split() if word not in error]
