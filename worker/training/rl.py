"""Train by reinforcement learning: play tasks with the current weights, and reinforce what did better.

The weights to play with are requested right after the step that makes them, so that nothing is
awaited twice. With a lag of one, the next iteration is played while this one trains, with the
weights of the step before; rollouts that were played and not trained on are saved with the
checkpoint, so that a resume uses the same rollouts. Asks the service through a Trainer and
samplers; environments run in the sandbox.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from scheduler.artefacts import compress_rows, decode_rows
from sweeps.cost import Usage
from sweeps.stage import Json
from sweeps.training.rollout_cost import NONE, EpisodeCosts
from sweeps.training.rollouts import (
    Floats,
    Group,
    Rollout,
    derive_task_seed,
    select_informative,
    split_groups,
    weigh_tokens,
)
from worker.attempt import Attempt
from worker.open_model import StartingPoint, forget_if_gone
from worker.outcome import Outcome, StageError, Succeeded
from worker.progress import Row
from worker.rollouts.play import EpisodePlayer, OpenTasks, RolloutTask
from worker.sdk.batches import RolloutBatch
from worker.sdk.failures import ServiceError
from worker.sdk.futures import PendingAnswer
from worker.sdk.responses import PassResult
from worker.sdk.sampler import PromptLogprobs, Sampler
from worker.training.training_loop import PendingStep, Training

IterationRollouts = list[list[Rollout]]
"""The rollouts of an iteration, by task."""


class RLTraining(Training):
    """Trains on the model's own rollouts; the curve shows the rewards."""

    SHOWN = COLUMN = "reward"

    def __init__(self, this: Attempt, start: StartingPoint) -> None:
        super().__init__(this, start)
        self._tables: dict[int, OpenTasks] = {}  # open, by iteration
        self._behind: PendingAnswer[Sampler] | None = None  # the weights after the last step
        self._sampler: Sampler | None = None
        self._hand = self._read_saved_rollouts(start.kept)  # played and not yet trained on
        self._last: IterationRollouts = []
        self._missing_loss = False  # has a missing loss been reported?
        self._sent: deque[list[Rollout]] = deque()  # the rollouts of the pending steps
        self._path = _read_path(start.kept, "reference")  # path of the weights that the training started from
        self._reference: Sampler | None = None

    def run(self) -> Outcome:
        with ExitStack() as stack:
            renderer, temperature = self._this.context.examples.open_renderer(self._recipe), self._recipe["temperature"]
            self._players = stack.enter_context(EpisodePlayer(self._this, "train", renderer, temperature=temperature))
            referred = self._recipe["kl_penalty"] > 0
            self._play = EpisodeCosts(self._players.shape, self._recipe["group_size"], trained=True, referred=referred)
            if referred and not self._is_done(self._start.step):
                self._reference = self._open_reference()
            self._behind = self._trainer.create_sampler()  # before the first update
            return super().run()

    def _is_done(self, done: int) -> bool:
        """Is the number of iterations reached, or the number of tokens as nearly as possible?"""
        if self._hand is not None:
            return False  # rollouts that were played ahead are paid for, so train on them
        if self._recipe["steps"] is not None:
            return super()._is_done(done)
        mean = self._usage.tokens / done if done else 0.0
        return bool(done and self._usage.tokens + mean / 2 > self._recipe["tokens"])

    def _estimate_steps(self) -> int:
        if self._recipe["steps"] is not None:
            return super()._estimate_steps()
        done = len(self._curve.rows)
        whole: int = self._recipe["tokens"]
        return max(done, round(done * whole / max(1, self._usage.tokens)))

    def _compute_learning_rate(self, step: int) -> float:
        if self._recipe["steps"] is not None:
            return super()._compute_learning_rate(step)
        whole = int(self._recipe["tokens"])
        return self._compute_rate(min(self._usage.tokens, whole - 1), whole)

    def _compute_needs(self, step: int) -> Usage:
        usage = NONE
        if self._hand is not None:
            rollouts = [rollout for group in self._hand for rollout in group]
            usage = self._play.count_usage(sum(map(len, rollouts)), len(rollouts))
        for iteration in self._list_iterations(step):
            for prompt in self._open(iteration).count_prompts():
                usage = usage.plus(self._play.most(prompt))
        return usage

    def _list_iterations(self, step: int) -> list[int]:
        """List the iterations to play before the next step."""
        last = self._recipe["steps"] is not None and step + 1 >= self._recipe["steps"]
        ahead = [step + 1] if self._recipe["lag"] and not last else []
        return ahead if self._hand is not None else [step, *ahead]

    def _open(self, iteration: int) -> OpenTasks:
        """Return the tasks of an iteration, with a seat for each rollout."""
        if iteration not in self._tables:
            seeds = self._recipe["seeds"]
            tasks = [
                RolloutTask(derive_task_seed(seeds["tasks"], iteration, group), iteration, group, seeds["sampling"])
                for group in range(self._recipe["groups"])
            ]
            self._tables[iteration] = self._players.open(tasks, self._recipe["group_size"])
        return self._tables[iteration]

    def _play_iteration(self, iteration: int, sampler: Sampler) -> IterationRollouts:
        hand = self._players.play(self._open(iteration), sampler, self._use)
        del self._tables[iteration]
        if not any(hand):
            name = self._recipe["environment"]["name"]
            raise StageError(f"{name}: every episode of iteration {iteration} was lost; {self._players.first_cause}")
        return hand

    def _send(self, step: int, rate: float) -> PendingStep:
        hand, self._hand = self._hand, None
        if hand is None:
            hand = self._play_iteration(step, self._get_weights())
        self._last, kept = hand, select_informative(hand)
        row = self._make_row(step, rate, hand, kept)
        self._sent.append([rollout for group in kept for rollout in group])
        losses, applied = [], []
        for part in split_groups(kept, self._recipe["substeps"]) if kept else ():
            self._this.check()  # a frozen process may resume here
            losses.append(self._request_gradient(part, row))
            applied.append(self._trainer.step(self._make_adam(rate)))
        return PendingStep(row, losses, applied)

    def _request_gradient(self, groups: Sequence[Group], row: Row) -> PendingAnswer[PassResult]:
        rollouts = [rollout for group in groups for rollout in group]
        moved = self._compute_log_ratios(rollouts) if self._play.referred else None
        if moved is not None:
            far = [values[rollout.acted] for rollout, values in zip(rollouts, moved, strict=True)]
            row["kl_start"] = float(np.concatenate(far).mean())
        acted = RolloutBatch(rollouts, weigh_tokens(groups, moved, kl_penalty=self._recipe["kl_penalty"]))
        self._use(Usage(training=acted.tokens))  # before it is requested
        return self._trainer.reinforce(acted, self._recipe["loss"], self._recipe["loss_config"])

    def _send_behind(self, done: int, row: Row) -> None:
        """Request the weights for the next iteration; with a lag, play that iteration with the weights before."""
        if self._is_done(done):
            return
        before = self._get_weights() if self._recipe["lag"] else None
        if row["num_learnt"]:
            self._behind = self._trainer.create_sampler()
        if before is not None:
            self._hand = self._play_iteration(done, before)

    def _get_weights(self) -> Sampler:
        """Return a sampler of the weights after the last step that was sent."""
        if self._behind is not None:
            self._sampler, self._behind = self._this.wait(self._behind), None
        assert self._sampler is not None
        return self._sampler

    def _open_reference(self) -> Sampler:
        """Open the weights at the start of the training; they are saved before the first step."""
        if self._path is None:
            if self._start.step:
                raise StageError("the checkpoint does not name the weights that the training started from")
            days = self._execution["checkpoint"].get("ttl_days")
            ttl = None if days is None else round(days * 86_400)
            self._path = self._this.wait(self._trainer.save_for_sampling("reference", ttl_seconds=ttl))
        try:
            return self._this.wait(self._trainer.open_sampler(self._path))
        except ServiceError as error:
            forget_if_gone(self._this, self._start.kept, self._path, error)
            raise

    def _compute_log_ratios(self, rollouts: Sequence[Rollout]) -> list[Floats]:
        """Return log(policy / start) of each token, in nats."""
        assert self._reference is not None
        asked = []
        for rollout in rollouts:
            self._use(Usage(prefill=len(rollout) + 1, sample=1))  # before it is requested
            asked.append(self._reference.read(rollout.tokens.tolist()))
        answers = [self._await_logprobs(future) for future in asked]
        return [rollout.logprobs - start for rollout, start in zip(rollouts, answers, strict=True)]

    def _await_logprobs(self, asked: PendingAnswer[PromptLogprobs]) -> Floats:
        answer = self._this.wait(asked)
        self._use(Usage(prefill=-answer.cached, cached_prefill=answer.cached))
        return answer.logprobs

    def _conclude(self, answers: Sequence[PassResult], row: Row) -> float | None:
        rollouts = self._sent.popleft()
        if not answers:
            return None
        loss = self._sum_loss(answers, row)
        trained = [values for answer in answers for values in answer.logprobs]
        apart = [(rollout.logprobs - values)[rollout.acted] for rollout, values in zip(rollouts, trained, strict=True)]
        row["kl_sample_train"] = float(np.concatenate(apart).mean())
        return loss

    def _sum_loss(self, answers: Sequence[PassResult], row: Row) -> float | None:
        """Return the loss of a step; None if the service does not return it and it cannot be computed."""
        known = [answer.loss for answer in answers if answer.loss is not None]
        if len(known) < len(answers):
            if not self._missing_loss:
                cause = f"the service returns no `loss:sum`, which the loss `{self._recipe['loss']}` needs"
                self._this.losses.note("service", str(self._recipe["model"]), cause)
                self._this.log_event(cause)
            self._missing_loss = True
            return None
        row["loss"] = loss = sum(known)
        return loss

    def _make_row(self, step: int, rate: float, hand: IterationRollouts, kept: Sequence[Group]) -> Row:
        """Return the metrics of an iteration: of all rollouts, whether or not they are trained on."""
        played = [rollout for group in hand for rollout in group]
        learnt = [rollout for group in kept for rollout in group]
        own = np.concatenate([rollout.logprobs[rollout.acted] for rollout in played])
        rewards = np.array([rollout.reward for rollout in played])
        facts = {name for rollout in played for name in rollout.facts}
        return {
            "step": step,
            "learning_rate": rate,
            "reward": float(rewards.mean()),
            "reward_sd": float(rewards.std()),
            "num_rollouts": len(played),
            "num_lost": self._recipe["groups"] * self._recipe["group_size"] - len(played),
            "num_learnt": len(learnt),
            "num_mixed": len(kept),
            "num_tokens": sum(map(len, learnt)),
            "turns": float(np.mean([rollout.turns for rollout in played])),
            "cut_turns": sum(rollout.cut for rollout in played) / max(1, sum(rollout.turns for rollout in played)),
            "unfinished": float(np.mean([rollout.unfinished for rollout in played])),
            "entropy": -float(own.mean()) if own.size else 0.0,
            **{
                f"episode.{name}": float(np.mean([rollout.facts.get(name, 0.0) for rollout in played]))
                for name in sorted(facts)
            },
        }

    def _keep(self, step: int) -> Mapping[str, Json]:
        if self._is_done(step):
            return {}  # the final checkpoint needs none of this
        kept: dict[str, Json] = {} if self._path is None else {"reference": self._path}
        if self._hand is not None:
            rows = [[rollout.document() for rollout in group] for group in self._hand]
            content = compress_rows([{"group": list(group)} for group in rows])
            kept["rollouts"] = self._this.write_artefact(f"rollouts-{step:06d}.jsonl.gz", content)
        return kept

    def _read_saved_rollouts(self, kept: Mapping[str, Any]) -> IterationRollouts | None:
        """Read the rollouts that were played ahead of the checkpoint from which this attempt continues."""
        path = _read_path(kept, "rollouts")
        if path is None:
            return None
        rows: list[Any] = decode_rows(self._this.context.artefacts.read(path))
        return [[Rollout.read(rollout) for rollout in row["group"]] for row in rows]

    def _make_result(self, steps: int) -> Succeeded:
        done = super()._make_result(steps)
        rows = [row for group in self._last for row in self._players.describe(group)]
        return Succeeded(
            {**done.result, "rollouts": self._this.write_artefact("rollouts.jsonl.gz", compress_rows(rows))}, steps
        )


def _read_path(kept: Mapping[str, Any], key: str) -> str | None:
    value = kept.get(key)
    return None if value is None else str(value)
