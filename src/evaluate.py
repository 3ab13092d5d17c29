"""Measure the weights that a finished run reports, or predict with them.

python src/evaluate.py run=latest
python src/evaluate.py run=best split=val baseline=true
python src/evaluate.py run=latest register=digits
python src/evaluate.py model=digits@champion
python src/evaluate.py run=latest predict=new.csv out=predictions.csv
"""

from typing import Any

from descent.arguments import Argument, script


@script(
    [
        Argument("run", "str", None, "a run's id (or its first 8 characters), name or directory, latest or best"),
        Argument("model", "str", None, "a registered model instead of a run: name@champion or name/version"),
        Argument("register", "name", None, "a name in the registry for the run's model"),
        Argument("force", "bool", False, "with register: it becomes the champion whatever the comparison says"),
        Argument("split", "test | val | train", "test", "the part of the run's data to measure on"),
        Argument("baseline", "bool", False, "train a linear model and a forest on the same data, for comparison"),
        Argument("device", "auto | cpu | cuda", "auto", "where to compute"),
        Argument("json", "str", None, "a file for everything that was measured"),
        Argument("outputs", "str", None, "a folder for small copies of what was measured, for a pipeline"),
        Argument("predict", "str", None, "a CSV file, a folder of images or a .npy file to predict instead"),
        Argument("out", "str", "predictions.csv", "the file for the predictions"),
    ]
)
def main(values: dict[str, Any]) -> None:
    from descent.finding import refuse_unknown

    if values["model"] is None and (values["register"] or not values["force"]):  # else that is what is wrong
        refuse_unknown(values["run"])
    from descent.evaluation.evaluating import run

    run(**values)


if __name__ == "__main__":
    main()
