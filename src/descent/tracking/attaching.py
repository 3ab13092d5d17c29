"""What is added to a stored run after its end: files, and words in its description."""

from collections.abc import Sequence
from pathlib import Path

from descent.tracking.describing import NOTE
from descent.tracking.destination import reason_of, unusable
from descent.tracking.reading import Archive, Stored


def attach(archive: Archive, run: Stored, files: Sequence[Path], folder: str, words: str) -> None:
    """Files and folders among the run's artifacts; of its description the section of that name is made anew."""
    heading = f"## {folder.capitalize()}"
    before = run.tags.get(NOTE, "").partition(heading)[0].rstrip()
    try:
        for file in files:
            if file.is_dir():
                archive.client.log_artifacts(run.id, str(file), f"{folder}/{file.name}")
            else:
                archive.client.log_artifact(run.id, str(file), folder)
        archive.client.set_tag(run.id, NOTE, "\n\n".join(filter(None, [before, heading, words])))
    except Exception as error:  # whatever the driver of a store raises: there is no common base
        raise unusable(archive.shown, reason_of(error)) from error
