"""Define the errors of a well-formed sweep. Their messages say what is wrong, where, and what to do.

SchedulerError
├── BugFound             a Lua verb failed, because of a bug or of stored data
├── StoreUnavailable     no Redis, or one that could lose data
│   └── LayoutRefused    another version of this program wrote the state
├── SweepConflict        another question has this name
├── Untrained            the models to evaluate do not exist, or may not be used
├── UnknownSweep         no sweep has this name
├── UnknownWorker        no worker has this name or host
├── UnknownMetric        no evaluation measures this
├── UnknownRun           no run of the sweep has this condition
├── BudgetTooSmall       less than the sweep has spent and holds
├── TokenUnusable        the name of a token is taken, or means none
├── NotAllowed           a token does not allow this, or the sweep is of somebody else
├── NotEnforced          a limit of the sweep could not be enforced
├── ServiceRefused       Tinker refuses the key, or does not serve the model
├── SettingInvalid       an environment variable has a wrong value
├── SettingsDisagree     a setting differs from that of the fleet
├── CodeUnusable         an environment or a check is missing, or is none
├── FiguresUnavailable   the library that draws pixels is not installed
├── TrackerUnusable      an experiment tracker is missing, or refuses a run
└── ArtefactError        the artefact store cannot be read or written

ItemsUnread is a warning: some items are missing in an answer.
"""


class SchedulerError(Exception):
    """A person has to act; exit status 1."""


class StoreUnavailable(SchedulerError):
    """There is no usable Redis."""


class LayoutRefused(StoreUnavailable):
    """Another version of this program wrote the state."""


class BugFound(SchedulerError):
    """A Lua verb failed, and would fail again."""


class SweepConflict(SchedulerError):
    """Another question has this name."""


class Untrained(SchedulerError):
    """There is no trained model to evaluate."""


class UnknownRun(SchedulerError):
    """No run of the sweep has this condition."""


class BudgetTooSmall(SchedulerError):
    """The budget is less than what is spent and held."""


class UnknownSweep(SchedulerError):
    """No sweep has this name."""


class UnknownWorker(SchedulerError):
    """No worker has this name, or runs on this host."""


class UnknownMetric(SchedulerError):
    """No evaluation measures this."""


class TokenUnusable(SchedulerError):
    """No token has this name, or another one has it."""


class NotAllowed(SchedulerError):
    """The scope of a token does not allow this, or the sweep belongs to somebody else."""


class NotEnforced(SchedulerError):
    """A limit cannot be enforced, so the sweep is refused."""


class ServiceRefused(SchedulerError):
    """Tinker refuses this."""


class SettingInvalid(SchedulerError):
    """A setting has a wrong value."""


class SettingsDisagree(SchedulerError):
    """A setting that the whole fleet must share differs here."""


class CodeUnusable(SchedulerError):
    """An environment or a check of the user cannot be used."""


class ExampleUnusable(SchedulerError):
    """No example has this name, or its copy would go where something is."""


class ArtefactError(SchedulerError):
    """The artefact store cannot be read or written."""


class FiguresUnavailable(SchedulerError):
    """Figures cannot be drawn as pixels here."""


class TrackerUnusable(SchedulerError):
    """Runs cannot be sent to this tracker."""


class ItemsUnread(UserWarning):
    """Some items of an evaluation could not be read."""
