"""Say what is the matter with a finished run, why, and what to try next.

python src/diagnose.py run=latest
"""

from typing import Any

from descent.arguments import REQUIRED, Argument, script


@script([Argument("run", "str", REQUIRED, "a run's id (or its first 8 characters), name or directory, latest or best")])
def main(values: dict[str, Any]) -> None:
    from descent.finding import refuse_unknown

    refuse_unknown(values["run"])
    from descent.diagnosing import run

    run(**values)


if __name__ == "__main__":
    main()
