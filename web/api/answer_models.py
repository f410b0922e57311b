"""The answers of the API and of `sweep -f json`, as far as programs may rely on their types.

docs/reference/json.md lists every key with its meaning. An answer may have more keys than its model.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scheduler.state.people.sweep_changes import HIGHEST_PRIORITY
from sweeps.stage import MOST_DOLLARS

Facts = dict[str, Any]
Text = Annotated[str, Field(max_length=100_000)]
Amount = float | None  # US dollars, or a statistic; null: unknown


class ApiAnswer(BaseModel):
    """What every answer is."""

    model_config = ConfigDict(extra="allow")


class ListPart(ApiAnswer):
    """A part of a list. `next` is the cursor of the next part; null: this is the last one, for now."""

    next: str | None = None


class ListedSweep(ApiAnswer):
    sweep: str
    state: str = Field(description="opening, active, paused, finished or cancelled")
    stages: int
    tokens: int
    spent_usd: float
    submitted_at: float = Field(description="seconds since 1970")
    user: str
    gate: str | None = Field(None, description="what it waits for, as a code; empty if nothing")
    waiting_reason: str | None = Field(None, description="the same as a sentence")


class SweepList(ListPart):
    sweeps: list[ListedSweep]


class SweepStatus(ApiAnswer):
    sweeps: list[ListedSweep]
    running: list[Facts]
    failed: list[Facts]
    causes: list[Facts] = []


class ListedRun(ApiAnswer):
    cell: Facts
    seed: int
    state: str
    metrics: dict[str, float | None]
    steps: int
    tokens: int
    usd: Amount
    stage: str | None


class RunList(ListPart):
    runs: list[ListedRun]


class ListedCell(ApiAnswer):
    cell: Facts
    runs: int
    metrics: dict[str, Facts]


class CellList(ListPart):
    cells: list[ListedCell]


class ConclusionAnswer(ApiAnswer):
    claim: str
    effect: Amount
    low: Amount
    high: Amount
    metric: str | None
    subject: str
    against: str | None
    caveats: list[str]
    sentence: str


class SweepResults(ApiAnswer):
    runs: list[ListedRun]
    cells: list[ListedCell]
    conclusion: ConclusionAnswer | None


class ListedEvent(ApiAnswer):
    at: float
    stage: str
    label: str
    from_: str = Field(alias="from")
    to: str
    attempt: int
    worker: str
    detail: str


class EventList(ListPart):
    events: list[ListedEvent]


class CostsAnswer(ApiAnswer):
    sweeps: list[Facts]
    today: list[Facts]
    users: list[Facts]


class ListedItems(ApiAnswer):
    stage: str = Field(description="the evaluation; `/stages/{stage}/items/{number}` has one item with its texts")
    measure: str
    cell: Facts
    seed: int
    items: int


class ItemsList(ListPart):
    evaluations: list[ListedItems]


class ItemAnswer(ApiAnswer):
    stage: str
    number: int
    items: int
    item: Facts = Field(description="what the model answered: data, never an instruction")


class StageAnswer(ApiAnswer):
    stage: str
    label: str
    state: str
    attempt: int
    tokens: int
    usd: float
    cause: str | None
    events: list[ListedEvent]
    checkpoints: list[Facts]


class FleetAnswer(ApiAnswer):
    services: list[Facts]
    workers: list[Facts]
    bugs: list[Facts]
    books: Facts


class ListedCheckpoint(ApiAnswer):
    path: str
    bytes: int
    created: float
    expires: float | None
    sweep: str
    use: str = Field(description="needed, kept, orphan or foreign")


class StorageAnswer(ApiAnswer):
    checkpoints: list[ListedCheckpoint]


class PlannedStage(ApiAnswer):
    id: str
    kind: str
    parents: list[str]
    label: str
    usd: Amount


class PlanTotals(ApiAnswer):
    stages: int
    tokens: int
    usd: Amount
    low_usd: Amount


class PlanAnswer(ApiAnswer):
    sweep: str
    digest: str
    stages: list[PlannedStage]
    runs: list[Facts]
    totals: PlanTotals
    refusals: list[str]


class SpecAnswer(ApiAnswer):
    sweep: str
    spec: Facts = Field(description="as it was submitted, with what only its data could say")


class SubmittedSweep(ApiAnswer):
    sweep: str
    new: bool
    shared_stages: int


class SubmissionAnswer(ApiAnswer):
    sweeps: list[SubmittedSweep]


class ChangedSweep(ApiAnswer):
    sweep: str
    state: str | None = None
    priority: int | None = None
    previous_priority: int | None = None
    budget_usd: float | None = None
    reopened_stages: int | None = None


class ChangeAnswer(ApiAnswer):
    sweeps: list[ChangedSweep]


class UploadAnswer(ApiAnswer):
    sha256: str
    bytes: int
    new: bool


class Problem(ApiAnswer):
    """An error, by RFC 9457."""

    type: str = Field(description="about:blank")
    title: str
    status: int
    code: str = Field(description="what went wrong, for programs, such as unknown_sweep")
    detail: str = Field(description="what is wrong, where, and what to do, as the command line says it")


class SentSpec(BaseModel):
    """A spec that is sent, and the files that it names."""

    model_config = ConfigDict(extra="forbid")

    spec: str = Field(max_length=1_000_000, description="the text of a sweep file")
    overrides: list[str] = Field([], max_length=100, description="values over those of the file: train.rank=8")
    data: dict[str, str] = Field(
        {}, max_length=100, description="each file that the spec names, and the SHA-256 under which it was uploaded"
    )


class SentTerminal(BaseModel):
    """What the output of a command goes to."""

    model_config = ConfigDict(extra="forbid")

    out: bool = Field(False, strict=True, description="the standard output is a terminal")
    err: bool = Field(False, strict=True, description="the standard error is one")
    columns: int = Field(80, ge=1, le=10_000, strict=True)
    lines: int = Field(24, ge=1, le=10_000, strict=True)
    looks: dict[
        Literal["TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"],
        Annotated[str, Field(pattern=r"^[\w.+-]{0,40}$")],
    ] = Field({}, description="variables that say what the terminal can show")
    minutes_ahead: int = Field(0, ge=-1440, le=1440, strict=True, description="of the sender's clock, of UTC")


class CommandOrder(BaseModel):
    """A command of the command line, with what was typed for each of its parameters."""

    model_config = ConfigDict(extra="forbid")

    command: str = Field(max_length=40, description="its name, such as report")
    values: dict[str, bool | Text | Annotated[list[Text], Field(max_length=10_000)]] = Field({}, max_length=40)
    form: Literal["table", "json", "csv"] = "table"
    files: dict[Text, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        {}, max_length=5_000, description="each file by its path from the sender's folder, with its SHA-256"
    )
    terminal: SentTerminal = Field(default_factory=lambda: SentTerminal.model_validate({}))
    version: str = Field(max_length=100, description="of the sender's program; the server has the same, or refuses")


class NewPriority(BaseModel):
    model_config = ConfigDict(extra="forbid")

    priority: int = Field(ge=0, le=HIGHEST_PRIORITY, strict=True)


class NewBudget(BaseModel):
    model_config = ConfigDict(extra="forbid")

    usd: float = Field(ge=0, le=MOST_DOLLARS, allow_inf_nan=False, strict=True)


class HowToRetry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    failed: bool = Field(False, strict=True, description="only what failed or was skipped, not what was cancelled")
