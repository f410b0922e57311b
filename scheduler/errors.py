"""What can go wrong around a sweep that is well-formed. Each message is written for the person who reads it.

SchedulerError
├── BugFound             a verb fails, for a bug of ours or for what is stored
├── StoreUnavailable     no Redis, or one that must not be trusted with the truth
│   └── LayoutRefused    another version of this program wrote the state
├── SweepConflict        the name is taken by another question
├── Untrained            what is to be measured is not there, or may not be used
├── UnknownSweep         nothing was submitted under that name
├── UnknownMetric        no evaluation measures it
├── BudgetTooSmall       less than a sweep has spent and holds already
├── NotEnforced          a limit that is set could not be kept
├── ServiceRefused       Tinker does not accept the key, or does not serve the model
├── SettingInvalid       an environment variable holds something impossible
├── CodeUnusable         what a model is to act in, or be checked by, is not there, or is no such thing
├── FiguresUnavailable   what draws pixels is not installed
├── TrackerUnusable      an experiment tracker is not there, or does not take what it is told
└── ArtefactError        the artefact store cannot be read or written

ItemsUnread is a warning: an answer is there, and some items are not in it.
"""


class SchedulerError(Exception):
    """Something a person has to look at; exit status 1."""


class StoreUnavailable(SchedulerError):
    """There is no Redis to keep the truth in."""


class LayoutRefused(StoreUnavailable):
    """Another version of this program wrote the state."""


class BugFound(SchedulerError):
    """What was asked of the store can never be done."""


class SweepConflict(SchedulerError):
    """Another sweep has this name."""


class Untrained(SchedulerError):
    """There is no such trained model to measure."""


class BudgetTooSmall(SchedulerError):
    """Less than has been spent or is held already."""


class UnknownSweep(SchedulerError):
    """There is no sweep of this name."""


class UnknownMetric(SchedulerError):
    """Nothing measures this."""


class NotEnforced(SchedulerError):
    """Refused, rather than ignored."""


class ServiceRefused(SchedulerError):
    """Tinker would not do this."""


class SettingInvalid(SchedulerError):
    """A setting cannot be what it says."""


class CodeUnusable(SchedulerError):
    """What was named as an environment cannot be acted in, or what was named as a check cannot be called."""


class ArtefactError(SchedulerError):
    """Data or artefacts cannot be kept."""


class FiguresUnavailable(SchedulerError):
    """Figures cannot be turned into pixels here."""


class TrackerUnusable(SchedulerError):
    """Runs cannot be told of where they were to be."""


class ItemsUnread(UserWarning):
    """Items that an evaluation kept could not be read."""
