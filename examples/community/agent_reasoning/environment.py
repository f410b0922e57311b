"""A help desk whose tools fail: look up, recover from the error, keep the order's number, act on what was read.

    customer: Refund A48      agent: pay(A48)
    tool:     busy            agent: wait(A48)
    tool:     card            agent: refund(A48, card)

Calls are short, because the small offline model learns letter by letter; a live model takes JSON calls as well.

Replace `Job` by your own task: `prompt`, `step` and, for demonstrations, `expert`.
`sweep play environment:Desk` walks you through an episode and checks it.
"""

import random

from sweeps.environments import EpisodeShape, Turn

PLANS = {"Refund": ("pay", "refund"), "Resend": ("home", "resend")}  # what to look up first, and what to do then
VALUES = {"pay": ["card", "cash", "bank"], "home": ["Oslo", "Rome", "Bonn"]}
CURES = {"busy": "wait", "locked": "open", "expired": "login"}  # the one call that helps against each error
ORDERS = "third draw"  # other words draw other orders, in the logs, in training and in the end
FAILING = 0.75  # of all episodes, the share in which the tool fails
MOST_CALLS = 4  # two are needed, three after a failure: one wrong cure leaves no spare call
SPARE_CALL = 0.25  # what a call too many costs


class Job:
    """One order of a customer, and the calls that it takes."""

    def __init__(self, seed: int, split: str) -> None:
        chance = random.Random(f"{ORDERS} {seed}")
        drawn = ""
        while drawn != split:  # the number of the order decides the split: no order is in both
            number = chance.randrange(10, 100)
            drawn = "test" if number % 4 == 0 else "train"
        self.order = f"{chance.choice('ABCDEFGHJKLMNPRST')}{number}"
        self.verb = chance.choice(sorted(PLANS))
        self.tool, self.deed = PLANS[self.verb]
        self.value = chance.choice(VALUES[self.tool])
        self.error = chance.choice(sorted(CURES)) if chance.random() < FAILING else ""
        self.state = "start"  # then "failed", "known"
        self.calls = self.met = 0

    @property
    def prompt(self) -> list[dict[str, str]]:
        return [{"role": "user", "content": f"{self.verb} {self.order}"}]

    def expert(self) -> str:
        """Return the right call now."""
        if self.state == "known":
            return f"{self.deed}({self.order}, {self.value})"
        return f"{CURES[self.error] if self.state == 'failed' else self.tool}({self.order})"

    def list_cures(self) -> list[str]:
        return [f"{cure}({self.order})" for cure in CURES.values()]

    def step(self, action: str) -> Turn:
        self.calls += 1
        call, state = action.strip(), self.state
        if call == self.expert():
            self.state = {"start": "failed" if self.error else "known", "failed": "known", "known": "done"}[state]
            self.met = max(self.met, self.state == "failed")
        elif state != "failed" or call not in self.list_cures():
            return self.end()
        if self.state == "done" or self.calls == MOST_CALLS:
            return self.end()
        answer = self.value if self.state == "known" else self.error
        return Turn([{"role": "user", "content": answer}], 0.0, False, self.measure())

    def end(self) -> Turn:
        facts = self.measure()
        return Turn("", facts["solved"] * (1 - SPARE_CALL * (self.calls - facts["fewest_calls"])), True, facts)

    def measure(self) -> dict[str, float]:
        """Say what the metrics need: see docs/reference/evaluations.md, "Episodes"."""
        solved = float(self.state == "done")
        return {"solved": solved, "calls": self.calls, "fewest_calls": 2 + self.met, "errors": self.met}


class Desk:
    version = 1
    shape = EpisodeShape(turns=(2, MOST_CALLS), action=(9, 19), observation=(4, 7))
    stop: tuple[str, ...] = ("\n",)

    def episode(self, seed: int, split: str) -> Job:
        return Job(seed, split)


class CoinJob(Job):
    """The null twin: the same job, paid by chance."""

    def __init__(self, seed: int, split: str) -> None:
        super().__init__(seed, split)
        self.transcript = f"{seed} {split}"

    def step(self, action: str) -> Turn:
        self.transcript += action
        turn = super().step(action)
        return turn._replace(reward=float(random.Random(self.transcript).randrange(2)) if turn.done else 0.0)


class CoinDesk(Desk):
    def episode(self, seed: int, split: str) -> Job:
        return CoinJob(seed, split)
