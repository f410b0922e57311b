"""Judge an answer such as `29 weeks, clause 10.1. Ask me for the form.` by its limit, its clause, and its refusal."""

NONE = "no clause applies"


def read(answer: str) -> tuple[str, str]:
    """Read the limit and the clause; a refusal has neither."""
    limit, _, rest = answer.strip().lower().partition(", clause ")
    words = rest.split()
    return (NONE if limit.startswith(NONE) else limit), (words[0].rstrip(".") if words else "")


def limit_right(answer: str, answers: list[str]) -> bool:
    """Say whether the limit is right, or the refusal."""
    return read(answer)[0] == read(answers[0])[0]


def clause_right(answer: str, answers: list[str]) -> bool:
    """Say whether the cited clause is the right one; where none applies, whether the answer says so."""
    return read(answer)[1] == read(answers[0])[1] and abstains_rightly(answer, answers)


def abstains_rightly(answer: str, answers: list[str]) -> bool:
    """Say whether the answer refuses exactly where no clause applies."""
    return (read(answer)[0] == NONE) == (read(answers[0])[0] == NONE)
