"""Make a run once more from what it was made from, and compare every bit.

python src/reproduce.py run=latest
python src/reproduce.py run=1a2b3c4d explain=true
python src/reproduce.py run=1a2b3c4d environment=rebuild
"""

from typing import Any

from descent.arguments import REQUIRED, Argument, script


@script(
    [
        Argument("run", "str", REQUIRED, "a run's id (or its first 8 characters), name or directory, latest or best"),
        Argument("explain", "bool", False, "say what was recorded, and train nothing"),
        Argument("environment", "present | rebuild", "present", "whose libraries; rebuild installs those of the lock"),
        Argument("trust", "bool", False, "execute a diff that is no record of this machine"),
        Argument("trusted_modules", "str", None, "further packages whose code may be built, with commas between"),
    ]
)
def main(values: dict[str, Any]) -> None:
    from descent.finding import is_like_an_id, refuse_unknown

    if not is_like_an_id(values["run"]):
        refuse_unknown(values["run"])
    from descent.reproduction.reproducing import reproduce

    if code := reproduce(**values):
        raise SystemExit(code)


if __name__ == "__main__":
    main()
