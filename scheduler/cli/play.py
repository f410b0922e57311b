"""Walk through an environment, check it, and write demonstrations (`sweep play`)."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import click

from scheduler.cli.console.options import OutputPath
from scheduler.cli.console.output import Output
from scheduler.cli.console.output_files import write_whole
from scheduler.cli.console.play_face import choose_actor, show_check, show_episode_end, show_header, watch_actor
from scheduler.errors import CodeUnusable
from scheduler.plugins.containment.sandbox import Sandbox, read_limits
from scheduler.settings import read_settings
from sweeps.environments import Split
from sweeps.environments.environment_checks import EPISODES, EnvironmentCheck, check_environment
from sweeps.environments.expert_demos import Demonstrations, collect_demonstrations
from sweeps.environments.trials import TrialEpisode, Trials
from sweeps.formatting import format_count

MOST_DEMOS = 100_000
LARGEST_SEED = 2**63 - 1


class PlayOptions(NamedTuple):
    """What is played, and by whom."""

    seed: int
    split: Split
    by: str | None  # expert, random or check; None: a person, or the lines of the input
    demos: int | None
    target: Path | None


@click.command()
@click.argument("environment")
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True, help="Seed of the episode.")
@click.option("--split", type=click.Choice(["train", "test"]), default="train", show_default=True, help="Its split.")
@click.option("--expert", "by", flag_value="expert", help="The episode's expert() plays.")
@click.option("--random", "by", flag_value="random", help="Actions are chosen by chance.")
@click.option("--check", "by", flag_value="check", help="Only check; walk through no episode.")
@click.option(
    "--episodes",
    type=click.IntRange(1, 10_000),
    default=EPISODES,
    show_default=True,
    help="Episodes of each kind that the checks play.",
)
@click.option("--demos", type=click.IntRange(1, MOST_DEMOS), help="Write this many demonstrations of expert() to -o.")
@click.option("-o", "target", type=OutputPath(), help="File for the demonstrations (.jsonl).")
@click.pass_obj
def play(output: Output, /, *, environment: str, episodes: int, **words: Any) -> None:
    """Walk through an episode of ENVIRONMENT, and check it.

    ENVIRONMENT is offline:NAME, package.module:attribute, or what else a sweep file may name. You are asked for each
    action. In a pipe, each line of the input is an action. The status is 1 if a check finds something wrong.
    """
    options = PlayOptions(**words)
    if (options.demos is None) != (options.target is None):
        raise click.UsageError("--demos and -o go together: --demos 500 -o demos.jsonl")
    settings = read_settings()
    with ExitStack() as closing:

        def open_sandbox(split: Split) -> Sandbox:
            """Start a fresh process of the environment, as a worker does."""
            limits, folder = read_limits(settings), settings.environments
            return closing.enter_context(Sandbox(environment, split=split, limits=limits, folder=folder))

        stage = open_sandbox(options.split)
        show_header(output, environment, stage)
        episode = None if options.by == "check" or options.demos else _walk(output, stage, options)
        checks = []
        output.say("")
        for check in check_environment(open_sandbox, episodes):
            checks.append(check)
            show_check(output, check)
        demos = _write_demos(output, open_sandbox(options.split), options) if options.demos else None
    _print_played(output, PlayedDocument(environment, stage, episode, checks, demos))
    wrong = [check.check for check in checks if check.verdict == "wrong"]
    if wrong:
        raise CodeUnusable(
            f"{environment}: wrong: {', '.join(wrong)}; mend what the lines above say, and play it again"
        )


def _walk(output: Output, stage: Sandbox, options: PlayOptions) -> TrialEpisode:
    """Play one episode, and show it step by step."""
    policy = watch_actor(output, choose_actor(output, stage, options.by))
    (episode,) = Trials(stage).play({options.seed: policy})
    show_episode_end(output, episode)
    return episode


def _write_demos(output: Output, stage: Sandbox, options: PlayOptions) -> Demonstrations:
    """Write demonstrations to a file. Raises CodeUnusable without an expert, or if it solves nothing."""
    assert options.demos is not None
    assert options.target is not None
    demos = collect_demonstrations(Trials(stage), options.demos)
    if not demos.rows:
        raise CodeUnusable(f"no demonstrations: {demos.reason}")
    write_whole(options.target, "".join(json.dumps(row) + "\n" for row in demos.rows).encode())
    left_out = f"; {demos.reason}" if demos.reason else ""
    output.say(f"\nwrote {format_count(len(demos.rows), 'demonstration')} to {options.target}{left_out}")
    output.say(f"in a sweep file: data: {{demos: {{source: {options.target}, holdout: 0.1}}}}")
    return demos


class PlayedDocument(NamedTuple):
    """What was played and found."""

    environment: str
    stage: Sandbox
    episode: TrialEpisode | None
    checks: Sequence[EnvironmentCheck]
    demos: Demonstrations | None


def _print_played(output: Output, played: PlayedDocument) -> None:
    """Print everything for programs."""
    environment, stage, episode, checks, demos = played
    rows = [check._asdict() for check in checks]
    if output.form == "csv":
        output.print_csv(rows, columns=EnvironmentCheck._fields)
    elif output.form == "json":
        document = {
            "environment": environment,
            "version": stage.version,
            "shape": stage.shape._asdict(),
            "stop": list(stage.stop),
            "episode": None if episode is None else _make_episode(episode),
            "checks": rows,
            "demos": None if demos is None else {"rows": len(demos.rows), "left_out": demos.left_out},
        }
        output.print_document(document)


def _make_episode(episode: TrialEpisode) -> dict[str, Any]:
    steps = [
        {"action": action, **turn._asdict(), "facts": dict(turn.facts)}
        for action, turn in zip(episode.actions, episode.turns, strict=False)
    ]
    return {
        "seed": episode.seed,
        "prompt": episode.prompt,
        "steps": steps,
        "reward": episode.reward,
        "facts": dict(episode.facts),
        "done": episode.done,
        "lost": episode.lost or None,
    }


commands = {"play": play}
