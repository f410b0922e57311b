"""The errors of a sweep, before it costs anything.

    SweepsError
    ├── SpecError    the file: an unknown key, a wrong type, an impossible value
    ├── DataError    the data it names: missing, empty, unreadable, too small
    │   └── NotTaken messages that a model's chat template does not take
    ├── PlanError    the sweep as a whole: too many runs, a size larger than the data, no price
    └── NotInstalled an optional library that a command needs

Each message says where, what is expected and what there is instead; several mistakes are several lines.
"""


class SweepsError(Exception):
    """A sweep that cannot run as it is written."""


class SpecError(SweepsError):
    """The file is not a valid sweep."""


class DataError(SweepsError):
    """The data cannot be used."""


class NotTaken(DataError):
    """Messages that the chat template of a model refuses, with the words of the template."""


class PlanError(SweepsError):
    """The sweep is valid, but cannot be planned."""


class NotInstalled(SweepsError):
    """An optional library is needed and not installed."""
