"""Markdown for the page of a run in MLflow's UI, in which nothing that a run says is markup."""

import html
import re
from urllib.parse import quote

NOTE = "mlflow.note.content"  # the tag that the UI shows as a description
SELF = "{this run}"  # stands for the stored run's id, which is not known before it is shipped


def plain(text: str) -> str:
    """On one line, as it is: no markup and no formula."""
    text = re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
    return text.replace("$", "&#36;")


def code(text: str) -> str:
    """A block of its own, to be copied."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def picture(file: str, run: str = SELF) -> str:
    """One of the run's own artifacts, by an address beside the UI's."""
    name = plain(file.rpartition("/")[2].partition(".")[0])
    return f"![{name}](get-artifact?path={quote(file, safe='')}&run_uuid={run})"


def told(question: str, answer: str, command: str, *others: str) -> str:
    """Question and answer are plain text; others are Markdown."""
    return "\n\n".join([plain(question), f"**{plain(answer)}**", *filter(None, others), code(command)])
