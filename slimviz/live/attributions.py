"""What each word does to a network's answer: integrated gradients over the input embeddings, and each word left out.

Integrated gradients (Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks", arXiv 1703.01365): the
gradient of the answer with respect to the word embeddings, averaged along the straight line from a baseline to the
text, times the difference of the two. Summed over a word's pieces and their units it is what the word adds to the
answer; all words together add up to the difference between the answers to text and baseline.

The baseline is the text with every piece replaced by [MASK], while [CLS] and [SEP] stay, as do positions and segments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pruning.errors import MeasureError
from pruning.variants import Variant
from slimviz.frames.attributions import Reading
from slimviz.live.networks import Network, computing
from slimviz.live.words import Piece, Word, pieces_of, spelling, words_of

if TYPE_CHECKING:
    import torch

STEPS = 32  # points of the line, by Gauss and Legendre
BATCH_TOKENS = 512  # of one forward and backward pass, which take a gigabyte in a BERT-base at 2,000
Progress = Callable[[float], object]  # of the share that is done


@dataclass(frozen=True, eq=False)
class Explanation:
    """What the words of one text do to the answers of some networks.

    Attributes:
        words: those that at least one network reads.
        readings: by network, in the order in which they were asked.
        blank: the piece that stands where a word is blotted out.
        steps: points of the line that gradients were taken at.
    """

    words: tuple[Word, ...]
    readings: dict[Variant, Reading]
    blank: str
    steps: int


def explain(
    networks: Sequence[Network],
    label: int | None,
    text: str,
    pair: str | None = None,
    *,
    steps: int = STEPS,
    progress: Progress | None = None,
) -> Explanation:
    """Attribute each network's answer to the words of a text or a pair.

    No hooks, no gradients and no other state are left on the networks, which other sessions use at the same time; the
    lock is free between two batches.

    Args:
        networks: of one study; their tokenizers differ in the pieces they know alone.
        label: number of the label whose log-odds, ln(p / (1 - p)), are explained; None explains a regression's score.
        text: what they read.
        pair: the second text.
        steps: points of the line.
        progress: called between batches, the lock free.

    Raises:
        MeasureError: if an answer is not a number.
    """
    texts = [text] if pair is None else [text, pair]
    with computing():  # a fast tokenizer must not be used by two threads at once
        encodings = [_encoding(network, texts) for network in networks]
    spelled = [pieces_of(encoding) for encoding in encodings]
    words = words_of(texts, spelled)
    readings = {}
    for number, (network, encoding, pieces) in enumerate(zip(networks, encodings, spelled, strict=True)):

        def tell(share: float, done: int = number) -> None:
            if progress is not None:
                progress((done + share) / len(networks))

        readings[network.variant] = _Question(network, encoding, label).read(spelling(words, pieces), steps, tell)
    tokenizer = networks[0].tokenizer
    return Explanation(tuple(words), readings, tokenizer.convert_ids_to_tokens(_blank(tokenizer)), steps)


def log_odds(logits: torch.Tensor, label: int | None) -> torch.Tensor:
    """Logits (examples, labels) -> (examples,): ln(p / (1 - p)) of a label, or a regression's score.

    Unlike a logit it means the same in two networks: adding a constant to all logits changes no answer.
    """
    import torch

    if label is None:
        return logits[:, 0]
    others = torch.cat([logits[:, :label], logits[:, label + 1 :]], dim=1)
    return logits[:, label] - others.logsumexp(dim=1)


def _encoding(network: Network, texts: Sequence[str]) -> Any:
    """A text or pair as the network reads it; the same ids as `network.encode` gives."""
    encoded = network.tokenizer(*texts, truncation="longest_first", max_length=network.max_length)
    return encoded.encodings[0]


def _blank(tokenizer: Any) -> int:
    """Id of the piece that stands for no word; a tokenizer that has no [MASK] has a piece for what it does not know."""
    return tokenizer.unk_token_id if tokenizer.mask_token_id is None else tokenizer.mask_token_id


class _Question:
    """One network, one text, and what of the answer is explained."""

    def __init__(self, network: Network, encoding: Any, label: int | None) -> None:
        import torch

        from pruning.measure.components import word_embedder

        self.network, self.label = network, label
        self.ids = torch.tensor([encoding.ids], device=network.device)
        self.types = torch.tensor([encoding.type_ids], device=network.device)
        self.embed = word_embedder(network.model)
        self.rows = max(1, BATCH_TOKENS // self.ids.shape[1])  # texts a batch

    def read(self, words: Sequence[tuple[Piece, ...]], steps: int, progress: Progress) -> Reading:
        """Both ways to weigh the words."""
        import torch

        places = [[piece.place for piece in pieces] for pieces in words]
        is_word = torch.zeros_like(self.ids, dtype=torch.bool)
        is_word[0, [place for found in places for place in found]] = True
        blank = torch.where(is_word, _blank(self.network.tokenizer), self.ids)
        read = [number for number, found in enumerate(places) if found]
        without = self.ids.repeat(len(read), 1)
        for row, number in enumerate(read):
            without[row, places[number]] = blank[0, places[number]]
        value, baseline, *fallen = self._values(torch.cat([self.ids, blank, without])).tolist()
        by_place = self._integrate(blank, steps, progress)
        integrated, left_out = np.full((2, len(words)), np.nan)
        integrated[read] = [by_place[places[number]].sum() for number in read]
        left_out[read] = value - np.array(fallen)
        if not np.isfinite([value, baseline, *integrated[read], *left_out[read]]).all():
            raise MeasureError(f"{self.network.variant}: the answer is not a number, expected finite logits")
        pieces = tuple(tuple(piece.text for piece in found) for found in words)
        return Reading(pieces, integrated, left_out, value, baseline)

    def _values(self, ids: torch.Tensor) -> np.ndarray:
        """What is explained of each row's answer, (rows,) float64."""
        from pruning.measure.logits import forward

        values = []
        for batch in ids.split(self.rows):
            with computing():
                types = self.types.expand_as(batch)
                logits = forward(self.network.model, {"input_ids": batch, "token_type_ids": types})
                values.append(log_odds(logits, self.label).double().cpu().numpy())
        return np.concatenate(values)

    def _integrate(self, blank: torch.Tensor, steps: int, progress: Progress) -> np.ndarray:
        """What each token adds to the answer, (tokens,) float64; 0 for those that the baseline has as well."""
        import torch
        from captum.attr import IntegratedGradients

        def answer(embeddings: torch.Tensor) -> torch.Tensor:
            types = self.types.expand(len(embeddings), -1)
            return log_odds(self.network.model(inputs_embeds=embeddings, token_type_ids=types).logits, self.label)

        method = IntegratedGradients(answer)
        gradients, batches = method.gradient_func, -(-steps // self.rows)
        done = 0

        def one_batch(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            progress(done / batches)
            with computing():
                found = gradients(*arguments, **named)
            done += 1
            return found

        method.gradient_func = one_batch  # where the lock can be let go, and a person can stop it
        with computing(), torch.no_grad():
            ends = self.embed(self.ids), self.embed(blank)
        found = method.attribute(*ends, n_steps=steps, internal_batch_size=self.rows)
        return found.detach().double().sum(dim=-1)[0].cpu().numpy()
