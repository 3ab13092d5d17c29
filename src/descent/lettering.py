"""Texts of runs, classes and files on matplotlib's figures."""


def plain(text: str) -> str:
    """As it is: matplotlib reads mathematics between dollars, and fails on what is none."""
    return text.replace("$", r"\$")
