"""Show the runs, sweeps and reproductions that nothing points to any more, and remove them if that is said.

python src/prune.py
python src/prune.py days=7 yes=true
python src/prune.py checkpoints=true
"""

from typing import Any

from descent.arguments import Argument, script


@script(
    [
        Argument("days", "float [0, inf)", 30.0, "the age from which what is unfinished or not in the store may go"),
        Argument("checkpoints", "bool", False, "those of finished runs too: such a run cannot be extended any more"),
        Argument("yes", "bool | ask", False, "remove what is shown; ask does so on a terminal"),
        Argument("tracking.uri", "str | null", None, "the store; MLFLOW_TRACKING_URI or mlflow.db unless given"),
    ]
)
def main(values: dict[str, Any]) -> None:
    from descent.pruning import prune

    prune(values["days"], values["checkpoints"], values["yes"], values["tracking.uri"])


if __name__ == "__main__":
    main()
