"""Which of several settings is better, and how sure that is; or what differs between two runs.

python src/compare.py by=optimizer dataset=digits metric=test/accuracy
python src/compare.py by=tags.arm study=capacity save=comparison
python src/compare.py by=optimizer target=0.95
python src/compare.py by=optimizer over=dataset,model baseline=adam save=race
python src/compare.py runs=latest,best
python src/compare.py runs=1a2b3c4d,5e6f7a8b code=true

With by=… finished runs of the tracking store are put into groups, and any other key filters: lr=1e-3, model=cnn,
seed=0,1,2, tags.arm=a. Without it two runs are told apart: what they were made from, and from which step on they part.
"""

from typing import Any

from descent.arguments import Argument, script


@script(
    [
        Argument("by", "str | null", None, "what the groups differ in: settings, groups, tags.<name>; commas between"),
        Argument("runs", "str | null", None, "two ids or names, with by=… any number, or a sweep's folder"),
        Argument("metric", "str", "auto", "what is compared; auto is the objective's on test data, else on validation"),
        Argument("direction", "minimize | maximize | auto", "auto", "what is better; auto knows Descent's own metrics"),
        Argument("study", "str | null", None, "only the trials of this study: its name or id"),
        Argument("margin", "float (0, inf) | null", None, "the smallest difference that matters"),
        Argument(
            "target", "float (-inf, inf) | null", None, "how soon runs come there, by their metric of every epoch"
        ),
        Argument("baseline", "str | null", None, "the target is what this group's runs come to, in their median"),
        Argument("over", "str | null", None, "workloads: settings of which every value is ranked for itself"),
        Argument("save", "str | null", None, "a folder for report.html, plots/, table.md and comparison.json"),
        Argument(
            "report", "bool", False, "the page goes to the run of study=… in MLflow, its verdict to the description"
        ),
        Argument(
            "costs", "bool", False, "times and memory in table.md and comparison.json, and the runs' ids in the latter"
        ),
        Argument("tracking.experiment", "str", "descent", "the MLflow experiment"),
        Argument("tracking.uri", "str | null", None, "the store; MLFLOW_TRACKING_URI or mlflow.db unless given"),
        Argument("code", "bool", False, "of two runs: print the diff of their sources and settings too"),
    ],
    others="filters",
)
def main(values: dict[str, Any]) -> None:
    from descent.comparison.asking import answer

    answer(values)


if __name__ == "__main__":
    main()
