"""Each loss equals its formula, and its gradient the formula's gradient; through the SDK, and from inside."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import tinker
from tinker import types

from tests.tinker_offline.examples import SMALL, TEXT, datum, logprobs, raw_datum, tokens, train
from tinker_offline.model.losses import LOSSES, resolve_config
from tinker_offline.model.ngram import Floats

SEED = 20261125
VOWELS = frozenset(tokens("aeiou")[1:])
SAMPLED = [name for name, loss in LOSSES.items() if "advantages" in loss.inputs]
CONFIG: dict[str, dict[str, float]] = {"dro": {"beta": 0.3}}
DESCENT = {"beta1": 0.0, "beta2": 0.0, "eps": 1e9}  # with a rate of eps · step, Adam goes down the gradient: -step · g


class Sampled(NamedTuple):
    """What was sampled, from somewhere near the model: log q and A of every position of every text."""

    texts: list[str]
    logprobs: list[Floats]
    advantages: list[Floats]

    def data(self, sign: float = 1.0) -> list[types.Datum]:
        """For the losses that weigh what was sampled."""
        given = zip(self.texts, self.logprobs, self.advantages, strict=True)
        return [rollout(text, there, sign * worth) for text, there, worth in given]

    def weighed(self, weights: list[Floats]) -> list[types.Datum]:
        """For cross_entropy."""
        return [rollout(text, None, weight) for text, weight in zip(self.texts, weights, strict=True)]


def rollout(text: str, there: Floats | None, worth: Floats) -> types.Datum:
    ids = tokens(text)
    if there is None:
        return raw_datum(ids[:-1], target_tokens=ids[1:], weights=worth.tolist())
    return raw_datum(ids[:-1], target_tokens=ids[1:], logprobs=there.tolist(), advantages=worth.tolist())


def create(service: tinker.ServiceClient) -> tinker.TrainingClient:
    client = service.create_lora_training_client(SMALL, rank=4, seed=5).result(60)
    train(client, range(3))
    return client


def sampled(client: tinker.TrainingClient, spread: float) -> Sampled:
    """Ratios of e^±spread and e^±5·spread, so that with 0.1 none is at the edge of a clip; a third of the positions has
    no advantage, as a prompt has none."""
    print("seed", SEED)  # noqa: T201 (shown when the test fails)
    source = np.random.default_rng(SEED)
    texts = [TEXT[start:][:20] for start in (0, 9, 23)]
    now = np.split(logprobs(client, [datum(text) for text in texts]), [20, 40])
    there = [(logprob + spread * source.choice([-5, -1, 1, 5], 20)).astype(np.float32) for logprob in now]
    worth = [(source.choice([-1, 1, 1], 20) * source.uniform(0.5, 2, 20)).astype(np.float32) for _ in texts]
    for advantages in worth:
        advantages[:7] = 0
    return Sampled(texts, there, worth)


def loss_of(client: tinker.TrainingClient, name: types.LossFnType, data: list[types.Datum]) -> float:
    return client.forward(data, name, CONFIG.get(name)).result(60).metrics["loss:sum"]


def move(client: tinker.TrainingClient, step: float) -> float:
    """Go down the gradient gathered so far, so far; its norm."""
    metrics = client.optim_step(types.AdamParams(learning_rate=step * DESCENT["eps"], **DESCENT)).result(60).metrics
    assert metrics is not None
    return metrics["grad_norm:mean"]


def norm(client: tinker.TrainingClient, *passes: tuple[types.LossFnType, list[types.Datum]]) -> float:
    """Of the sum of the gradients of these passes; the model stays as it is."""
    for name, data in passes:
        client.forward_backward(data, name, CONFIG.get(name)).result(60)
    return move(client, 0.0)


@pytest.mark.parametrize("name", SAMPLED)
def test_the_gradient_is_that_of_the_loss_as_the_service_says_it(
    service: tinker.ServiceClient, monkeypatch: pytest.MonkeyPatch, name: types.LossFnType
) -> None:
    """Along a direction d, that of another gradient: (loss(θ + d) - loss(θ - d)) / 2 = gradient · d, and the product
    of two gradients follows from the norms of both and of their sum, which an optimizer step reports."""
    if name == "cispo":  # its coefficient is held constant, as finite differences hold it only where it is clipped
        monkeypatch.setitem(CONFIG, "cispo", {"clip_low_threshold": 0.7, "clip_high_threshold": 0.7})
    client = create(service)
    seen = sampled(client, 0.1)
    other, back = seen.weighed(seen.advantages), seen.weighed([-advantage for advantage in seen.advantages])
    mine, others = norm(client, (name, seen.data())), norm(client, ("cross_entropy", other))
    both = norm(client, (name, seen.data()), ("cross_entropy", other))
    expected = (both**2 - mine**2 - others**2) / 2
    step = 0.001 / others
    client.forward_backward(other, "cross_entropy").result(60)
    move(client, step)
    ahead = loss_of(client, name, seen.data())
    for _ in range(2):  # the gradient of the way back is very nearly the negative of that of the way there
        client.forward_backward(back, "cross_entropy").result(60)
        move(client, step)
    behind = loss_of(client, name, seen.data())
    assert (ahead - behind) / (2 * step) == pytest.approx(-expected, rel=0.02)
    assert abs(expected) > 0.1 * mine * others


@pytest.mark.parametrize("name", ["importance_sampling", "ppo", "cispo", "dro"])
def test_where_nothing_has_changed_since_sampling_each_is_the_policy_gradient(
    service: tinker.ServiceClient, name: types.LossFnType
) -> None:
    """r = 1: the same steps as cross_entropy with the advantages as weights, in which they may have any sign."""
    first, other = create(service), create(service)
    seen = sampled(first, 0.0)
    for client, fn, data in ((first, name, seen.data()), (other, "cross_entropy", seen.weighed(seen.advantages))):
        client.forward_backward(data, fn, CONFIG.get(fn)).result(60)
        move(client, 0.05)
    assert np.allclose(logprobs(first, [datum(TEXT)]), logprobs(other, [datum(TEXT)]), atol=1e-4)
    assert not np.allclose(logprobs(first, [datum(TEXT)]), logprobs(create(service), [datum(TEXT)]), atol=1e-2)


@pytest.mark.parametrize("name", SAMPLED)
def test_the_same_input_gives_the_same_bits(service: tinker.ServiceClient, name: types.LossFnType) -> None:
    clients = [create(service), create(service)]
    seen, losses = sampled(clients[0], 0.1), []
    for client in clients:
        losses.append(client.forward_backward(seen.data(), name, CONFIG.get(name)).result(60).metrics)
        client.optim_step(types.AdamParams(learning_rate=0.01)).result(60)
    assert losses[0] == losses[1]
    assert set(losses[0]) == {"loss:sum"}
    first, other = (logprobs(client, [datum(TEXT)]) for client in clients)
    assert first.tobytes() == other.tobytes()


def clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def rewarded(sample: types.SampledSequence) -> float:
    return sum(token in VOWELS for token in sample.tokens) / len(sample.tokens)


def advanced(prompt: list[int], group: list[types.SampledSequence]) -> list[types.Datum]:
    """What each was rewarded above the mean of all, at every position that it chose itself."""
    mean = sum(map(rewarded, group)) / len(group)
    data = []
    for sample in group:
        ids, before = [*prompt, *sample.tokens], [0.0] * (len(prompt) - 1)
        worth = [*before, *[rewarded(sample) - mean] * len(sample.tokens)]
        there = [*before, *(sample.logprobs or [])]
        data.append(raw_datum(ids[:-1], target_tokens=ids[1:], logprobs=there, advantages=worth))
    return data


@pytest.mark.parametrize("name", ["importance_sampling", "ppo", "cispo"])
def test_what_is_rewarded_is_said_more_often(service: tinker.ServiceClient, name: types.LossFnType) -> None:
    client = create(service)
    prompt, rewards = tokens(TEXT[:6]), list[float]()
    for step in range(10):
        sampler = client.save_weights_and_get_sampling_client().result(60)
        params = types.SamplingParams(max_tokens=6, seed=step)
        group = list(sampler.sample(types.ModelInput.from_ints(prompt), 32, params).result(60).sequences)
        rewards.append(sum(map(rewarded, group)) / len(group))
        for _ in range(2):  # the second time, the model is no longer the one that was sampled
            client.forward_backward(advanced(prompt, group), name, CONFIG.get(name))
            client.optim_step(types.AdamParams(learning_rate=0.03)).result(60)
    print(rewards)  # noqa: T201 (shown when the test fails)
    assert sum(rewards[-2:]) > sum(rewards[:2]) + 0.3


Part = Callable[[float, float, float, Mapping[str, float]], float]
FORMULAS: dict[str, Part] = {
    "importance_sampling": lambda p, q, a, _: -np.exp(p - q) * a,
    "ppo": lambda p, q, a, c: -min(np.exp(p - q) * a, clip(np.exp(p - q), *c.values()) * a),
    "cispo": lambda p, q, a, c: -clip(np.exp(p - q), *c.values()) * p * a,
    "dro": lambda p, q, a, c: -(p * a - c["beta"] / 2 * (p - q) ** 2),
}
DEFAULTS = {"ppo": (0.8, 1.2), "cispo": (0.0, 4.0)}


def parts(name: str, ratio: float, worth: float, **config: float) -> tuple[float, float, float]:
    """At one position: the value, the derivative by log p, and what the formula says of the value."""
    chosen = resolve_config(name, {**CONFIG.get(name, {}), **config})
    p, q = np.array([-1.5], np.float32), np.array([-1.5 - np.log(ratio)], np.float32)
    inputs = {"logprobs": q, "advantages": np.array([worth], np.float32)}
    loss = LOSSES[name]
    value, slope = loss.values(p, inputs, chosen), loss.slopes(p, inputs, chosen)
    assert value.dtype == slope.dtype == np.float32
    return float(value[0]), float(slope[0]), FORMULAS[name](float(p[0]), float(q[0]), worth, chosen)


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("ratio", [0.1, 0.79, 0.81, 1.0, 1.19, 1.21, 3.9, 4.1])
@pytest.mark.parametrize("worth", [-2.0, 0.7])
def test_each_value_is_the_formula(name: str, ratio: float, worth: float) -> None:
    value, _, expected = parts(name, ratio, worth)
    assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_defaults_are_the_documented_ones(name: str) -> None:
    assert tuple(resolve_config(name, {}).values()) == DEFAULTS[name]


@pytest.mark.parametrize(
    ("ratio", "worth", "clipped"),
    [(1.3, 1, True), (1.3, -1, False), (0.7, -1, True), (0.7, 1, False), (1.19, 1, False), (0.81, -1, False)],
)
def test_a_clipped_position_of_ppo_has_no_gradient_and_another_that_of_importance_sampling(
    ratio: float, worth: float, *, clipped: bool
) -> None:
    slope = parts("ppo", ratio, worth)[1]
    assert slope == (0 if clipped else parts("importance_sampling", ratio, worth)[1])
    assert parts("ppo", ratio, worth, clip_low_threshold=0.5, clip_high_threshold=2)[1] != 0
    tight = parts("ppo", ratio, worth, clip_low_threshold=1, clip_high_threshold=1)[1]
    assert (tight == 0) == ((ratio > 1) == (worth > 0))


@pytest.mark.parametrize(("ratio", "coefficient"), [(0.1, 0.1), (3.0, 3.0), (5.0, 4.0)])
def test_cispo_bounds_the_coefficient_and_drops_nothing(ratio: float, coefficient: float) -> None:
    assert parts("cispo", ratio, 0.5)[1] == pytest.approx(-coefficient * 0.5, rel=1e-5)


@pytest.mark.parametrize("name", ["importance_sampling", "ppo", "cispo"])
@pytest.mark.parametrize("there", [0.0, -1000.0])
def test_a_position_without_advantage_contributes_nothing_whatever_is_said_of_its_sampling(
    name: str, there: float
) -> None:
    p = np.array([-3.0], np.float32)
    inputs = {"logprobs": np.array([there], np.float32), "advantages": np.zeros(1, np.float32)}
    config = resolve_config(name, {})
    assert LOSSES[name].values(p, inputs, config) == 0
    assert LOSSES[name].slopes(p, inputs, config) == 0


def test_custom_losses_of_the_sdk_need_weights_of_any_size_and_sign(service: tinker.ServiceClient) -> None:
    """The gradient is linear in the weights: +w and -w are nothing together, and 3w moves as thrice w."""
    client = create(service)
    seen = sampled(client, 0.0)
    there = seen.weighed(seen.advantages)
    once = norm(client, ("cross_entropy", there))
    assert norm(
        client, ("cross_entropy", seen.weighed([-3 * advantage for advantage in seen.advantages]))
    ) == pytest.approx(3 * once, rel=1e-5)
    assert norm(
        client, ("cross_entropy", there), ("cross_entropy", seen.weighed([-advantage for advantage in seen.advantages]))
    ) == pytest.approx(0, abs=1e-5 * once)


REFUSED: list[tuple[str, dict[str, Any] | None, str]] = [
    ("ppo", {"clip": 0.2}, "ppo.*clip_low_threshold, clip_high_threshold, got 'clip'"),
    ("importance_sampling", {"beta": 1.0}, "importance_sampling.* nothing, got 'beta'"),
    ("ppo", {"clip_low_threshold": "low"}, "clip_low_threshold of ppo.* got 'low'"),
    ("ppo", {"clip_low_threshold": 2.0}, "ppo.*clip_low_threshold.*clip_high_threshold"),
    ("dro", None, "dro.* beta"),
    ("dro", {"beta": -1.0}, "beta of dro.* 0, got -1.0"),
    ("cross_entropy", {"beta": 1.0}, "cross_entropy.* got 'beta'"),
    ("gspo", None, "'gspo'.* cross_entropy, importance_sampling, ppo, cispo, dro"),
    ("stable_reinforce", None, "'stable_reinforce'.*sampling.* cross_entropy"),
    ("custom", {"loss_id": "x"}, "forward_backward_custom"),
]


@pytest.mark.parametrize(("name", "config", "words"), REFUSED)
def test_what_a_loss_does_not_take_is_refused_by_name(
    service: tinker.ServiceClient, name: types.LossFnType, config: dict[str, Any] | None, words: str
) -> None:
    client = service.create_lora_training_client(SMALL, rank=4).result(60)
    data = [rollout("abc", np.zeros(3, np.float32), np.ones(3, np.float32))]
    with pytest.raises(tinker.RequestFailedError, match=words) as caught:
        client.forward_backward(data, name, config).result(60)
    assert caught.value.category.name == "User"


def test_every_loss_of_the_sdk_is_offered_or_refused_with_a_reason(service: tinker.ServiceClient) -> None:
    client = service.create_lora_training_client(SMALL, rank=4).result(60)
    ones: npt.NDArray[Any] = np.ones(3, np.float32)
    names: tuple[types.LossFnType, ...] = types.LossFnType.__args__  # type: ignore[attr-defined]
    for name in names:
        asked = client.forward([rollout("abc", -ones, ones)], name, CONFIG.get(name))
        if name in LOSSES:
            assert "loss:sum" in asked.result(60).metrics
        else:
            with pytest.raises(tinker.RequestFailedError, match=name):
                asked.result(60)


def test_an_input_that_the_loss_would_not_see_is_refused(service: tinker.ServiceClient) -> None:
    """A client that sends a mask relies on it."""
    client = service.create_lora_training_client(SMALL, rank=4).result(60)
    ids = tokens("abc")
    there = {"logprobs": [-1.0] * 3, "advantages": [1.0] * 3}
    masked = raw_datum(ids[:-1], target_tokens=ids[1:], weights=[1.0, 0.0, 0.0], **there)
    with pytest.raises(tinker.RequestFailedError, match=r"datum 0.* weights.*'ppo'.* target_tokens, logp"):
        client.forward_backward([masked], "ppo").result(60)
    lacking = raw_datum(ids[:-1], target_tokens=ids[1:], logprobs=[-1.0] * 3)
    with pytest.raises(tinker.RequestFailedError, match=r"datum 0.* advantages"):
        client.forward_backward([lacking], "ppo").result(60)
