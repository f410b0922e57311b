"""What can be wrong with a question, before anything is spent on it.

    SweepsError
    ├── SpecError    the file: an unknown key, a wrong type, a value that cannot be
    ├── DataError    the data it names: missing, empty, unreadable, too small
    │   └── NotTaken messages that a model's chat template does not take
    ├── PlanError    the question as a whole: too many runs, a size larger than the data, no price
    └── NotInstalled an optional library that an answer was asked for with

Each message says what was found, where, and what would be right; several findings are several lines.
"""


class SweepsError(Exception):
    """A question that cannot be asked as it stands."""


class SpecError(SweepsError):
    """The file does not say a valid sweep."""


class DataError(SweepsError):
    """The data cannot be used."""


class NotTaken(DataError):
    """Messages that a model's chat template does not take: what it says of that is in words of its own."""


class PlanError(SweepsError):
    """The sweep is well-formed, and still cannot be planned."""


class NotInstalled(SweepsError):
    """What was asked for needs a library that is optional, and is not there."""
