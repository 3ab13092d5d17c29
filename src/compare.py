"""What differs between two runs: what they were made from, and from which step on they part.

python src/compare.py runs=latest,best
python src/compare.py runs=1a2b3c4d,5e6f7a8b code=true
"""

from typing import Any

from descent.arguments import REQUIRED, Argument, script


@script(
    [
        Argument("runs", "str", REQUIRED, "two runs with a comma between: ids, names or directories, or latest"),
        Argument("code", "bool", False, "print the diff of their sources and settings too"),
    ]
)
def main(values: dict[str, Any]) -> None:
    from descent.comparison.two import compare

    compare(**values)


if __name__ == "__main__":
    main()
