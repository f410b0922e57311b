"""Score answers: by the checks that come with this project, or by one of the user's in a sandbox.

A user's check is code, like an environment, so it runs where environments run (`scheduler/plugins/containment/`):
whatever it does costs one verdict. Patterns run there too, because one that never ends would hold up the whole worker.
A check is loaded before anything is asked of the model, and called while answers come in, so that a broken one is found
early.
"""

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from scheduler.plugins.allowed_code import OUR_CODE
from scheduler.plugins.containment.sandbox import Sandbox
from sweeps.environments import Turn
from sweeps.environments.trials import LostEpisode
from sweeps.evaluation.answer_evaluator import ModelAnswer, ScoredAnswers, score_text
from sweeps.evaluation.evaluator_options import may_fail
from sweeps.metrics.verdicts import NOT_APPLICABLE
from sweeps.rendering.prompts import PromptItem
from worker.attempt import Attempt
from worker.outcome import StageError
from worker.rollouts.play import FEW, LONGEST_CAUSE, TOLERATED

PATTERNS = "sweeps.metrics.matching:any_match"  # what `check: regex` is in the sandbox


class PromptAnswers(NamedTuple):
    """The answers to one prompt, one for each sample."""

    ask: PromptItem
    answers: Sequence[ModelAnswer]


class AnswerChecker:
    """Scores answers. Whether the model abstained is decided in one way, whatever the check.

    Entering it raises CodeUnusable if its check cannot be used.
    """

    def __init__(self, this: Attempt, options: Mapping[str, Any], *, may_skip: bool = False) -> None:
        self._this = this
        self._may_skip = may_skip
        self._check = str(options["check"])
        self._abstain = (options.get("abstain", ""),)
        self._sandbox: Sandbox | None = None
        if may_fail(self._check):
            is_ours = self._check == "regex" or self._check.startswith(OUR_CODE)
            self._sandbox = Sandbox(
                PATTERNS if self._check == "regex" else self._check,
                kind="check",
                split="test",
                code=None if is_ours and "code" not in options else str(options.get("code")),
                limits=this.context.sandbox,
                folder=this.code_folder,
                check=this.check_own_wait,
            )
        self._numbers = 0
        self._failed: list[str] = []  # the causes

    def __enter__(self) -> Self:
        if self._sandbox is not None:
            self._sandbox.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._sandbox is not None:
            self._sandbox.close()

    def score(self, prompts: Sequence[PromptAnswers]) -> list[ScoredAnswers]:
        """Score the answers to some prompts. Raises StageError if the check fails on most answers."""
        sandbox = self._sandbox
        scored = [
            self._score_here(prompt) if sandbox is None else self._score_there(sandbox, prompt) for prompt in prompts
        ]
        if len(self._failed) >= FEW and len(self._failed) > TOLERATED * self._numbers:
            raise StageError(self._describe_failures())
        return scored

    def finish(self, items: int, failed: int) -> None:
        """Log how many items could not be checked. Raises StageError if none could."""
        if failed:
            self._this.log_event(self._describe_failures()[:LONGEST_CAUSE])
        if failed == items:
            raise StageError(self._describe_failures())

    def _select_check(self, ask: PromptItem) -> str:
        return "exact" if ask.answers == self._abstain else self._check

    def _score_here(self, prompt: PromptAnswers) -> ScoredAnswers:
        check = self._select_check(prompt.ask)
        return ScoredAnswers(*prompt, [score_text(check, answer.text, prompt.ask.answers) for answer in prompt.answers])

    def _score_there(self, sandbox: Sandbox, prompt: PromptAnswers) -> ScoredAnswers:
        if self._select_check(prompt.ask) != self._check:
            return self._score_here(prompt)._replace(failed="")
        texts = {self._take_number(): answer.text for answer in prompt.answers}
        sandbox.begin(dict.fromkeys(texts, prompt.ask.item))
        given = [list(prompt.ask.answers), list(prompt.ask.passages)]
        encoded = {number: json.dumps([text, *given]) for number, text in texts.items()}
        verdicts = [self._allow(verdict) for verdict in sandbox.act(encoded).values()]
        causes = [verdict.what for verdict in verdicts if isinstance(verdict, LostEpisode)]
        where = f"of an answer to question {prompt.ask.item}"
        self._failed += (f"{cause}, {where}" for cause in causes)
        for cause in causes:
            self._this.losses.note("check", self._check, cause, where)
        self._this.losses.set_among("check", self._check, self._numbers)
        if causes:
            return ScoredAnswers(*prompt, [], causes[0])
        judged = [(answer, _read_score(verdict)) for answer, verdict in zip(prompt.answers, verdicts, strict=True)]
        return ScoredAnswers(
            prompt.ask,
            [answer for answer, score in judged if score is not None],
            [score for _, score in judged if score is not None],
            failed="",
            skipped=[answer for answer, score in judged if score is None],
        )

    def _allow(self, verdict: Turn | LostEpisode) -> Turn | LostEpisode:
        """Let a check say that it does not apply only where its evaluation can leave an answer out."""
        if isinstance(verdict, LostEpisode) or self._may_skip or _read_score(verdict) is not None:
            return verdict
        what = f"returned {NOT_APPLICABLE!r}, which only `answers` takes"
        return LostEpisode(what, what)

    def _take_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _describe_failures(self) -> str:
        failed = f"check {self._check} failed on {len(self._failed)} of {self._numbers} answers"
        return f"{failed}; the first time it {self._failed[0]}"


def _read_score(verdict: Turn | LostEpisode) -> float | None:
    """Read the score of an answer; None if the check does not apply to it."""
    assert isinstance(verdict, Turn)
    return None if NOT_APPLICABLE in verdict.facts else verdict.reward
