"""The words that pages use, explained in one place that every page has."""

from __future__ import annotations

import streamlit as st

WORDS = {
    "Teacher": "the whole network, fine-tuned on the task; nothing of it is cut.",
    "Slim": "what is left of the teacher: smaller matrices, trained again to answer as the teacher does.",
    "Budget": "what the slim network may cost, in percent of the teacher; of its stored parameters where no other word "
    "stands.",
    "Head, FFN unit": "what is cut: attention heads, which look for words that belong together, and the inner units of "
    "each layer's feed-forward network.",
    "Word table": "one vector for each word piece; half of this BERT. It is cut in pieces and factored to a rank.",
    "Points": "hundredths of the metric: from 0.896 to 0.889 are −0.7 points.",
    "Interval": "what the difference may be with 95% confidence, from a bootstrap over the examples that both networks "
    "answered. It says nothing of another seed; those are the faint dots.",
    "Floor": "the score of knowing nothing: the most frequent class for accuracy, 0 for MCC and correlations.",
    "MCC": "Matthews' correlation of answers and labels: 1 is perfect, 0 is guessing.",
    "Importance": "how much the loss would suffer without a unit or head, by one of several criteria. Green: kept, "
    "pink: cut.",
}


OF_LABELS = ("Floor", "MCC")  # words that pages use only where labels say what is right


def glossary(*, has_labels: bool) -> None:
    """A button that opens the list, without the words that no study here needs."""
    shown = {word: meaning for word, meaning in WORDS.items() if has_labels or word not in OF_LABELS}
    with st.popover("What the words mean", icon=":material/menu_book:"):
        st.markdown("  \n".join(f"**{word}**: {meaning}" for word, meaning in shown.items()))
