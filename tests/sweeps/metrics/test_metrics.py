"""Known values of every score, and the laws that hold for any items whatever."""

import itertools
import math
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.analysis.change_estimate import change
from sweeps.evaluation.answer_evaluator import ModelAnswer, ScoredAnswers
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.rag import RAG
from sweeps.metrics import calibration, consistency, matching, rag_scores, ranking, trading
from sweeps.metrics.numbers import find_number
from sweeps.rendering.prompts import PromptItem

ITEMS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=30)
SCORED = st.lists(st.tuples(st.integers(0, 4).map(lambda tenth: tenth / 4), st.integers(0, 1)), min_size=1, max_size=30)
WORDS = st.lists(st.sampled_from(["a cat", "dog", "The dog!", "", "cow"]), min_size=2, max_size=8)
quick = settings(max_examples=40, deadline=None)


class TestCalibration:
    def test_known_calibration_errors(self) -> None:
        assert calibration.ece((0.95, 0.95, 0.55, 0.55), (1, 0, 1, 0)) == pytest.approx(0.25)
        assert calibration.ece([0.8] * 10, [1] * 8 + [0] * 2) == pytest.approx(0)
        assert calibration.adaptive_ece((0.9, 0.6, 0.3), (1, 0, 0), bins=1) == pytest.approx(0.6 - 1 / 3)

    def test_bins_are_closed_on_the_right(self) -> None:
        """0.3 belongs to (0.2, 0.3], and 0 to the first."""
        bins = calibration.reliability_bins((0.0, 0.1, 0.3, 0.30001), (0, 1, 1, 0))
        assert [bin_of_answers.items for bin_of_answers in bins] == [2, 1, 1]
        assert [bin_of_answers.accuracy for bin_of_answers in bins] == [0.5, 1, 0]

    def test_known_risk_coverage(self) -> None:
        confidence = (0.9, 0.8, 0.7, 0.6)
        assert calibration.aurc(confidence, (1, 1, 0, 1)) == pytest.approx(0.145833, abs=1e-6)
        assert calibration.aurc(confidence, (0, 1, 1, 1)) == pytest.approx(0.520833, abs=1e-6)
        assert calibration.selective_accuracy(confidence, (1, 1, 0, 1), 0.5) == 1
        assert calibration.selective_accuracy(range(10), [1] * 10, 0.7) == 1

    @quick
    @given(SCORED, st.randoms(use_true_random=False))
    def test_the_order_of_the_items_is_nothing(self, items: list[tuple[float, int]], random: Random) -> None:
        shuffled = list(items)
        random.shuffle(shuffled)
        for score in (calibration.ece, calibration.adaptive_ece, calibration.aurc):
            assert score(*zip(*items, strict=True)) == pytest.approx(score(*zip(*shuffled, strict=True)))

    @quick
    @given(ITEMS, st.integers(1, 20))
    def test_bounds(self, items: list[tuple[float, int]], bins: int) -> None:
        p, y = map(list, zip(*items, strict=True))
        mean_gap = abs(float(np.mean(p)) - float(np.mean(y)))
        for error in (calibration.ece(p, y, bins=bins), calibration.adaptive_ece(p, y, bins=bins)):
            assert mean_gap - 1e-9 <= error <= 1 + 1e-9  # finer bins never hide what all items show
        assert 0 <= calibration.aurc(p, y) <= 1
        assert calibration.selective_accuracy(p, y, 1) == pytest.approx(np.mean(y))

    def test_what_is_no_confidence_is_refused(self) -> None:
        for p, y in (((1.2,), (1,)), ((0.5,), (0.5,)), ((0.5, 0.5), (1,)), ((), ()), ((math.nan,), (1,))):
            with pytest.raises(ValueError, match=r"confidence|correctness"):
                calibration.ece(p, y)
        with pytest.raises(ValueError, match="coverage"):
            calibration.selective_accuracy((0.5,), (1,), 0)


class TestConsistency:
    def test_known_agreement_and_entropy(self) -> None:
        answers = [matching.normalize_text(answer) for answer in ("a1", "A1", "a1.", "b")]
        assert consistency.agreement(answers) == 0.75
        assert consistency.pairwise_agreement(answers) == 0.5
        assert consistency.semantic_entropy(answers) == pytest.approx(0.5623, abs=1e-4)
        assert consistency.semantic_entropy(["x"] * 4) == 0
        assert consistency.pairwise_agreement(["x"]) is None

    def test_known_passes(self) -> None:
        assert consistency.pass_at_k(10, 3, 1) == pytest.approx(0.3)
        assert consistency.pass_at_k(10, 3, 5) == pytest.approx(0.9167, abs=1e-4)
        assert consistency.pass_all_k(10, 8, 3) == pytest.approx(0.4667, abs=1e-4)
        with pytest.raises(ValueError, match="k = 4"):
            consistency.pass_at_k(3, 1, 4)

    def test_known_robustness(self) -> None:
        robustness = consistency.robustness([[1, 1], [1, 0], [0, 0]])
        assert robustness == pytest.approx((0.5, 1 / 3, 0.5 / 3, 1 / 3))

    @quick
    @given(WORDS)
    def test_bounds(self, answers: list[str]) -> None:
        assert 1 / len(answers) <= consistency.agreement(answers) <= 1
        assert -1e-12 <= consistency.semantic_entropy(answers) <= math.log(len(answers)) + 1e-12
        assert consistency.agreement(answers) == consistency.agreement(answers[::-1])
        assert (consistency.pairwise_agreement(answers) == 1) == (consistency.agreement(answers) == 1)

    @quick
    @given(st.integers(1, 12), st.data())
    def test_more_tries_pass_more_and_all_of_them_less(self, samples: int, data: st.DataObject) -> None:
        right = data.draw(st.integers(0, samples))
        once = [consistency.pass_at_k(samples, right, k) for k in range(1, samples + 1)]
        always = [consistency.pass_all_k(samples, right, k) for k in range(1, samples + 1)]
        assert once == sorted(once)
        assert always == sorted(always, reverse=True)
        assert once[0] == pytest.approx(always[0]) == pytest.approx(right / samples)


class TestMatching:
    def test_text_is_compared_as_squad_does(self) -> None:
        assert matching.exact_match("The  Cat!", "a dog", "cat") == 1
        assert matching.exact_match("cats", "cat") == 0
        assert matching.f1("the big cat", "a big dog") == pytest.approx(0.5)
        assert matching.f1("red red", "red") == pytest.approx(2 / 3)
        assert (matching.f1("", ""), matching.f1("", "cat"), matching.f1("cat")) == (1, 0, 0)

    @pytest.mark.parametrize(
        ("answer", "right", "worth"),
        [("A", "a", 1), ("A.", "A", 1), ("the a", "A", 0), ("", "A", 0), ("The", "A", 0), ("B", "A", 0), ("A", "B", 0),
         ("+", "+", 1), ("-", "+", 0), ("", "+", 0), (" ? ", "?", 1), ("a cat", "cat", 1)],
    )  # fmt: skip
    def test_a_choice_is_no_article_and_a_sign_is_an_answer(self, answer: str, right: str, worth: float) -> None:
        assert matching.exact_match(answer, right) == worth
        assert consistency.agreement([matching.normalize_text(answer), matching.normalize_text(right)]) == (
            1 if worth else 0.5
        )

    @pytest.mark.parametrize(
        ("text", "number"),
        [("so 3 + 4 is 7.", 7), ("$1,234.50", 1234.5), ("-2e3", -2000), ("x = .5", 0.5), ("none", None), ("1, 2", 2)],
    )
    def test_the_last_number_is_the_answer(self, text: str, number: float | None) -> None:
        last = find_number(text)
        assert (last and last.value) == number

    def test_numbers_and_patterns(self) -> None:
        assert matching.numeric_match("about 3.14", "3.14") == 1
        assert matching.numeric_match("about 3.14", "3.14159") == 0
        assert matching.numeric_match("none", "0") == 0
        assert (matching.regex_match(" B\n", "[ABC]"), matching.regex_match("B or C", "[ABC]")) == (1, 0)
        assert (matching.any_match("12", ["x", r"\d+"]), matching.any_match("112", ["12", "x"])) == (1, 0)

    @quick
    @given(WORDS)
    def test_what_matches_has_all_words_in_common(self, words: list[str]) -> None:
        first, other = words[:2]
        assert 0 <= matching.f1(first, other) <= 1
        assert matching.f1(first, other) == matching.f1(other, first)
        assert matching.f1(first, other) >= matching.exact_match(first, other)
        assert matching.normalize_words(matching.normalize_words(first)) == matching.normalize_words(first)


class TestReading:
    def test_the_change_of_the_uplift_is_a_difference_in_differences(self) -> None:
        before, after = (asked([0, 0, 1], [1, 0, 1]), asked([0, 0, 0], [1, 1, 1]))
        assert [item.values["uplift"] for item in before] == [1, 0, 0]
        difference = change({0: before}, {0: after}, metric="uplift")
        assert difference is not None
        assert (difference.before, difference.after, difference.mean) == pytest.approx((1 / 3, 1, 2 / 3))

    def test_shares(self) -> None:
        assert rag_scores.utilisation([0, 0, 1, 1], [1, 0, 1, 1]) == pytest.approx(0.5)
        assert rag_scores.utilisation([1, 1], [1, 0]) is None
        assert rag_scores.distractor_robustness([1, 1, 0], [1, 0, 0]) == 0.5
        assert rag_scores.distractor_robustness([0], [1]) is None
        with pytest.raises(ValueError, match="same items"):
            rag_scores.utilisation([1], [1, 0])

    def test_led_astray(self) -> None:
        """Of what was known, what a passage that does not help takes away; and what is made up, not left unanswered."""
        metrics = RAG.summarize(asked([1, 1, 0], [1, 1, 1], distracted=[1, 0, 0]))
        assert metrics["harmful_context"] == 0.5
        assert "harmful_context" not in RAG.summarize(asked([0], [1], distracted=[0]))
        silent = asked([0, 0, 1], [1, 1, 1], distracted=[0, 0, 1], texts=["unknown", "b", "a"])
        assert RAG.summarize(silent)["false_answers"] == pytest.approx(1 / 3)

    def test_abstention(self) -> None:
        assert rag_scores.abstention([1, 1, 0, 0], [1, 0, 1, 1]) == (0.5, 1 / 3)
        assert rag_scores.abstention([0, 0], [0, 0]) == (None, None)

    def test_faithfulness(self) -> None:
        assert rag_scores.token_support("It is in Oslo, Norway", "Oslo has a fjord") == 0.5
        assert rag_scores.token_support("it is", "Oslo") is None


def asked(
    closed: Sequence[float], opened: Sequence[float], distracted: Sequence[float] = (), texts: Sequence[str] = "abc"
) -> list[ItemRow]:
    """Items of `rag` that score so."""
    under = {"closed": closed, "open": opened, "distracted": distracted}
    answered = [
        ScoredAnswers(PromptItem(item, name, "", ("a",)), [ModelAnswer(texts[item], 1.0)], [scores[item]])
        for item in range(len(closed))
        for name, scores in under.items()
        if scores
    ]
    return list(RAG.measure(answered, {"abstain": "unknown"}).rows)


class TestRanking:
    def test_known_ranks(self) -> None:
        assert ranking.find_rank([-1.0, -0.5, -2.0], 0) == 2
        assert ranking.reciprocal_rank([-1.0, -0.5, -2.0], 2) == pytest.approx(1 / 3)
        assert [ranking.is_first([3, 1], right) for right in (0, 1)] == [1, 0]
        assert ranking.is_first([1, 1], 0) == 0  # undecided is not found

    def test_known_ndcg(self) -> None:
        """Relevance 3, 2, 3, 0, 1, 2 in the order of the scores: the standard worked example, 0.961 with gain = rel."""
        scores, relevance = [6, 5, 4, 3, 2, 1], [3, 2, 3, 0, 1, 2]
        assert ranking.ndcg(scores, relevance) == pytest.approx(0.9608, abs=1e-4)
        assert ranking.ndcg(scores, [0, 0, 0, 1, 0, 0], k=3) == 0
        assert ranking.ndcg([1, 2], [0, 0]) is None

    @quick
    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=8))
    def test_the_right_order_is_the_best(self, items: list[tuple[int, int]]) -> None:
        scores, relevance = map(list, zip(*items, strict=True))
        gain, best = ranking.ndcg(scores, relevance), ranking.ndcg(relevance, relevance)
        assert gain is None or 0 <= gain <= 1 + 1e-12
        assert best is None or best == pytest.approx(1)

    @pytest.mark.parametrize(
        ("candidates", "right"), [(total, right) for total in range(1, 7) for right in range(1, total + 1)]
    )
    def test_chance_is_the_mean_over_all_orders(self, candidates: int, right: int) -> None:
        """Held against every order of the candidates, each as scores without ties."""
        worth = [1.0] * right + [0.0] * (candidates - right)
        orders = list(itertools.permutations(range(candidates)))
        firsts = [ranking.reciprocal_rank(order, max(range(right), key=lambda at: order[at])) for order in orders]
        gains = [ranking.ndcg(order, worth) or 0.0 for order in orders]
        assert ranking.expect_reciprocal_rank(candidates, right) == pytest.approx(np.mean(firsts), rel=1e-12)
        assert ranking.expect_ndcg(candidates, right) == pytest.approx(np.mean(gains), rel=1e-12)

    @pytest.mark.parametrize("right", [0, 4])
    def test_chance_needs_a_right_candidate_and_no_more_than_there_are(self, right: int) -> None:
        for expect in (ranking.expect_reciprocal_rank, ranking.expect_ndcg):
            with pytest.raises(ValueError, match=r"1 to 3"):
                expect(3, right)


class TestTrading:
    def test_known_profit_and_loss(self) -> None:
        """Up by half, down to a third of the peak, up by half: 1 → 1.5 → 0.5 → 0.75."""
        returns = [0.5, -2 / 3, 0.5]
        assert trading.total_return(returns) == pytest.approx(-0.25)
        assert trading.maximal_drawdown(returns) == pytest.approx(2 / 3)
        assert trading.sharpe([0.1, 0.2, 0.3], periods=4) == pytest.approx(4.0)
        assert trading.sharpe([0.1, 0.1]) is None

    @quick
    @given(st.lists(st.floats(-0.9, 2), max_size=20))
    def test_a_drawdown_is_a_share(self, returns: list[float]) -> None:
        assert 0 <= trading.maximal_drawdown(returns) <= 1
        assert trading.maximal_drawdown([abs(value) for value in returns]) == 0
        assert trading.maximal_drawdown(returns) >= -min(trading.total_return(returns), 0) - 1e-12
