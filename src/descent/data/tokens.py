"""Texts as rows of token ids: the most frequent words of the training rows have numbers of their own."""

import re
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

PADDING, UNKNOWN, FIRST = 0, 1, 2
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """Lower-cased words: letters and digits, apostrophes inside."""
    return _WORD.findall(text.lower())


def vocabulary(texts: Sequence[str], size: int) -> list[str]:
    """The most frequent words, ties in the order of the alphabet."""
    counts = Counter(word for text in texts for word in words_of(text))
    return sorted(counts, key=lambda word: (-counts[word], word))[:size]


def encoded(texts: Sequence[str], words: Sequence[str], length: int) -> Tensor:
    """[texts, length] of int64: 0 behind a text's end, 1 for a word that is not known; longer texts are cut.

    A text without a word counts as one that is not known.
    """
    numbers = {word: place for place, word in enumerate(words, FIRST)}
    ids = torch.full((len(texts), length), PADDING, dtype=torch.int64)
    for row, text in enumerate(texts):
        found = [numbers.get(word, UNKNOWN) for word in words_of(text)[:length]] or [UNKNOWN]
        ids[row, : len(found)] = torch.tensor(found, dtype=torch.int64)
    return ids
