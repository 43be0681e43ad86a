"""Copies without heads: what they answer, beside each other, and that nothing shared changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pruning.compress.without_heads import without_heads
from pruning.measure.logits import predict_logits
from pruning.study import Study
from slimviz.live import surgery
from slimviz.live.answers import predict
from slimviz.live.networks import Network
from slimviz.live.surgery import EXAMPLES_AT_ONCE, Cut, answered, each_turned_over, heads_in, operated, whole
from tests.factories.tiny_study import tiny_examples

TEXT = "the film is good"
Networks = Callable[[str], list[Network]]
Studies = Callable[[str], Study]


@pytest.fixture(autouse=True)
def nothing_cached() -> Iterator[None]:
    for cache in (surgery._whole, surgery._operated, surgery._part, surgery._each_turned_over):
        cache.clear()
    yield
    for cache in (surgery._whole, surgery._operated, surgery._part, surgery._each_turned_over):
        cache.clear()


def test_with_all_heads_it_is_the_network_that_the_page_asks(networks: Networks, study: Studies) -> None:
    for name in ("sst2", "stsb", "mnli"):
        examples = tiny_examples(name, 10)
        teacher, slim = networks(name)
        assert whole(study(name), slim) is slim
        start = whole(study(name), teacher)
        assert whole(study(name), teacher) is start  # made once
        assert operated(study(name), start, ()) is start
        found, wanted = predict_logits(start, examples), predict_logits(teacher, examples)
        np.testing.assert_allclose(found, wanted, atol=1e-5)
        assert len(heads_in(start)) == 8
    assert heads_in(slim) == ((0, 0), (0, 1), (0, 3), (1, 0), (1, 2), (1, 3))  # mnli's


def test_what_is_cut_and_restored_is_as_before(networks: Networks, study: Studies) -> None:
    one, examples = study("sst2"), tiny_examples("sst2", 10)
    for network in (whole(one, shared) for shared in networks("sst2")):
        before = predict_logits(network, examples)
        cut = predict_logits(operated(one, network, ((0, 1), (1, 2))), examples)
        assert np.abs(cut - before).max() > 1e-3
        again = predict_logits(operated(one, network, ()), examples)
        assert np.array_equal(again, before)


def test_two_visitors_at_once_get_their_own_answers(networks: Networks, study: Studies) -> None:
    one = study("sst2")
    start = [whole(one, network) for network in networks("sst2")]
    cuts: list[Cut] = [((0, 0),), ((1, 3),), ((0, 1), (1, 1)), tuple((0, head) for head in range(4))]
    wanted = {}
    for cut in cuts:
        alone = [Network(without_heads(n.model, cut), n.tokenizer, n.max_length, n.device, n.variant) for n in start]
        wanted[cut] = [answer.probabilities for answer in predict(alone, TEXT)]
    assert len({str(said) for said in wanted.values()}) == len(cuts)
    before = [answer.probabilities for answer in predict(start, TEXT)]

    def ask(number: int) -> bool:
        cut = cuts[number % len(cuts)]
        copies = [operated(one, network, cut) for network in start]
        return [answer.probabilities for answer in predict(copies, TEXT)] == wanted[cut]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(24)))
    assert [answer.probabilities for answer in predict(start, TEXT)] == before


def test_examples_are_answered_in_parts_and_once(
    networks: Networks, study: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pruning.measure.latency import TIMING_LOCK

    one, examples, cut = study("stsb"), tiny_examples("stsb", EXAMPLES_AT_ONCE + 5), ((1, 0),)
    copy = operated(one, whole(one, networks("stsb")[0]), cut)
    parts = []
    with ThreadPoolExecutor(1) as pool:
        for logits in answered(one, copy, cut, examples):
            parts.append(logits)
            assert pool.submit(TIMING_LOCK.acquire, blocking=False).result()  # others may compute in between
            pool.submit(TIMING_LOCK.release).result()
    assert [len(part) for part in parts] == [EXAMPLES_AT_ONCE, EXAMPLES_AT_ONCE + 5]
    np.testing.assert_allclose(parts[-1], predict_logits(copy, examples), atol=1e-5)

    def refuse(*arguments: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr("pruning.measure.logits.predict_logits", refuse)
    assert np.array_equal([*answered(one, copy, cut, examples)][-1], parts[-1])
    with pytest.raises(AssertionError, match="asked again"):
        next(answered(one, copy, ((0, 0),), examples))


@pytest.mark.parametrize("at_once", [3, 100])
def test_each_head_turned_over_is_the_copy_with_it_cut_or_back(
    networks: Networks, study: Studies, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(surgery, "HEADS_AT_ONCE", at_once)
    one, example = study("mnli"), tiny_examples("mnli", 8).take([5])
    for network, off in ((whole(one, networks("mnli")[0]), ((0, 2), (1, 1))), (networks("mnli")[1], ())):
        heads = heads_in(network)
        found = each_turned_over(one, network, off, heads, example)
        cuts = [off, *(tuple(sorted(set(off) ^ {head})) for head in heads)]
        wanted = [predict_logits(operated(one, network, cut), example)[0] for cut in cuts]
        np.testing.assert_allclose(found, np.stack(wanted), atol=1e-5)
    nothing = each_turned_over(one, network, (), (), example)
    np.testing.assert_allclose(nothing, predict_logits(network, example), atol=1e-5)
