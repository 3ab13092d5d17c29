"""What a tracking store still knows of the runs whose directories are here."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from descent.tracking.destination import Destination, reason_of, resolved, unusable
from descent.tracking.outbox import FOLDER, Reader, stored_id
from descent.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

State = Literal["active", "deleted", "registered", "gone", "elsewhere", "untracked"]


class Memory:
    """Of one store; without a client there is none, and it knows nothing."""

    def __init__(self, shown: str, client: "MlflowClient | None") -> None:
        self._shown, self._client = shown, client
        self._registered = {one.run_id for one in client.search_model_versions()} if client else set()

    def state_of(self, directory: Path, where: str) -> State:
        """Of the run of a directory, which said that it is kept there; `elsewhere` is another store than this."""
        number = stored_id(directory)
        if number is None:
            return "untracked"
        if number in self._registered:
            return "registered"
        if where and not where.startswith(self._shown):
            return "elsewhere"
        return self._lifecycle(number)

    def id_of(self, directory: Path) -> str:
        """The local id of what a directory has said to its store, a search's too; empty where nothing was said."""
        first = Reader(directory / FOLDER).first()
        return first.tags.get("local_id", "") if first else ""

    def _lifecycle(self, number: str) -> State:
        from mlflow.exceptions import MlflowException

        if self._client is None:
            return "gone"
        try:
            return "deleted" if self._client.get_run(number).info.lifecycle_stage == "deleted" else "active"
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return "gone"
            raise unusable(self._shown, reason_of(error)) from error


def memory_of(destination: Destination) -> Memory:
    """Of the store at hand; EnvironmentFault where it cannot be asked. Nothing is made where there is none."""
    there = resolved(destination)
    if there.database is not None and not there.database.exists():
        return Memory(there.shown, None)
    try:
        return Memory(there.shown, open_store(there).client)
    except ValueError:
        raise
    except Exception as error:  # whatever the driver of a store raises: there is no common base
        raise unusable(there.shown, reason_of(error)) from error
