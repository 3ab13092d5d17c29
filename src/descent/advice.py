"""What is allowed and probably not meant: said in a line before the training. Functions of the plain settings."""

from collections.abc import Mapping
from typing import Any

MIRRORS = ("flip", "vertical_flip")


def warnings(settings: Mapping[str, Any]) -> list[str]:
    """One line each."""
    return [line for check in CHECKS for line in check(settings)]


def _mirrors(settings: Mapping[str, Any]) -> list[str]:
    """Mirrored, a digit is another one or none."""
    if settings["dataset"].get("mirrored") is not False:
        return []
    augmentation = settings["augmentation"]
    said = "mirrors images whose mirror images are of no class here (dataset.mirrored: false)"
    return [
        f"warning: augmentation.{key}: {augmentation[key]:g} {said}; augmentation.{key}=0 leaves them as they are"
        for key in MIRRORS
        if augmentation.get(key)
    ]


CHECKS = (_mirrors,)
