"""Many comparisons at once: the more there are, the more of them chance alone would make look like something."""

from collections.abc import Sequence


def holm(chances: Sequence[float | None]) -> list[float | None]:
    """Each p value as the family makes it (Holm, 1979): at most 5% of families hold one that is falsely below 0.05.

    None is a comparison that could not be made; it is no member of the family.
    """
    known = sorted((p, place) for place, p in enumerate(chances) if p is not None)
    adjusted: list[float | None] = [None] * len(chances)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = highest
    return adjusted
