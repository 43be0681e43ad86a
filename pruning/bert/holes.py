"""Words that run across characters without a continuation of their own: what has to stay so that none is lost.

A word is spelled by the longest piece that matches, again and again. Take "##ić" where there is no "##ć": it may only
be reached where it begins. With a piece in front of it removed, another one, "##ni" say, could match across that place,
and what follows it, "##ć", cannot be spelled. So pieces are kept that, spelled in parts, would let one match across.

Claim: every place where the full tokenizer begins one of the `targets` below is one where the cut tokenizer begins a
piece, too, and as all targets are kept it takes the same. Suppose the first place where it does not: a kept piece Q
matches across it, so Q holds the target's first character behind its own first. Q begins inside a piece R of the full
tokenizer (at its beginning, the full one would have taken Q), so R holds Q's first character behind its own first.
Such an R is a target itself, or begins the word, and is kept; its place was met and R was taken, so nothing begins
inside it.
"""

from __future__ import annotations

from collections.abc import Iterable


def pieces_around_holes(beginnings: Iterable[str], insides: Iterable[str]) -> tuple[set[str], set[str]]:
    """Pieces that have to stay for the sake of such words; none where every character has its own continuation.

    Args:
        beginnings: bodies of the pieces that begin words and that texts produce.
        insides: bodies of the pieces that go on with words and that texts produce.

    Returns:
        Those to keep of both.
    """
    beginnings, insides = ([body for body in bodies if body] for bodies in (beginnings, insides))
    own = {body for body in insides if len(body) == 1}
    long = [body for body in insides if len(body) > 1]
    targets = {body for body in long if not own.issuperset(body)}
    behind = {body: frozenset(body[1:]) for body in (*beginnings, *long)}
    while True:
        firsts = {body[0] for body in targets}
        across = {body[0] for body in long if not firsts.isdisjoint(behind[body])}
        found = targets | {body for body in long if not across.isdisjoint(behind[body])}
        if found == targets:
            return {body for body in beginnings if not across.isdisjoint(behind[body])}, targets
        targets = found
