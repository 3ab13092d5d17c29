"""The door: Hydra's command line on one side, a checked Config on the other, and one line for whatever is wrong.

A refused command leaves nothing on disk: a single run is checked, and its directory claimed, by a Hydra callback before
Hydra writes to it, a multirun by the sweeper before it makes the sweep's.
"""

import argparse
import functools
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn, cast

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from descent import advice, lifeline, outputs, presence, processes, rules, sections, stages
from descent.composition import (
    CONFIG_DIRECTORY,
    compose,
    explained,
    groups,
    primary,
    refuse_impossible,
    searched,
    searchpath,
    without_hydra,
)
from descent.config import Config, parse, project_root
from descent.errors import DataError, DescentError, EnvironmentFault, Interrupted, UsageError
from descent.tracking.courier import courier
from descent.tracking.secrets import mask

__all__ = [
    "Door",
    "admit",
    "compose",
    "enter_point",
    "enter_sweep",
    "entry_point",
    "exit_code",
    "explained",
    "groups",
    "leave_point",
    "mask",
    "one_line",
    "or_exit",
    "primary",
    "refuse_impossible",
    "searched",
    "searchpath",
    "shortened",
    "typed",
    "without_a_run",
]

Task = Callable[[Config, Path], Any]
INTERNAL = 1
INTERRUPTED = 130
_at_the_end = ExitStack()  # gives back what the process has claimed
MODES = ("run", "multirun", "cfg", "info", "shell_completion", "help", "hydra_help")


def entry_point(task: Task) -> Callable[[], None]:
    """A script's main: composes the command line, checks it, and calls the task with Config and directory."""

    @functools.wraps(task)
    def job(raw: DictConfig) -> Any:
        config, directory = typed(raw), Path(HydraConfig.get().runtime.output_dir)
        for file in (directory / ".hydra").glob("*.yaml"):
            file.write_text(mask(file.read_text()))
        came_to = task(config, directory)
        outputs.write_run(config, directory)
        return came_to

    @functools.wraps(task)
    def reported(raw: DictConfig) -> Any:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return job(raw)  # the sweeper says what went wrong and goes on
        return or_exit(lambda: _or_forgotten(lambda: job(raw), Path(HydraConfig.get().runtime.output_dir)))

    def main() -> None:
        stages.begin(Path(task.__code__.co_filename))
        os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise what it would print in ten lines
        sys.argv += processes.follower_overrides()
        flags = or_exit(lambda: _recalled(_completed(sys.argv[1:])))
        run = hydra.main(version_base="1.3", config_path="../conf", config_name="config")(reported)
        with _at_the_end:
            or_exit(lambda: _composing(run, flags))

    return main


def without_a_run(task: Callable[[Config], Any]) -> Callable[[], None]:
    """A script's main that takes the overrides of a training, checks them and calls the task; it makes no directory."""

    @functools.wraps(task)
    def main() -> None:
        words = sys.argv[1:]
        if {"-h", "--help"} & set(words):
            print((sys.modules[task.__module__].__doc__ or "").strip())
            return
        stages.begin(Path(task.__code__.co_filename))
        or_exit(lambda: task(_checked(sections.with_overrides(*sections.asked(words)))))

    return main


def _checked(words: Sequence[str]) -> Config:
    if flags := [word for word in words if word.startswith("-")]:
        raise rules.refuse(flags[0], flags[0], "key=value", "--help shows the use")
    refuse_impossible(words, multirun=False)
    try:
        composed = compose(words)
    except Exception as error:
        raise explained(error, words) from error
    config = typed(composed)
    presence.refuse_absent(config)

    from descent import signatures

    signatures.check(config)
    return config


class Door(Callback):
    """Stands between composing and making the run directory."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        # Hydra swallows every exception here but SystemExit.
        if not or_exit(lambda: admit([config]) and _enter_run(config)):
            raise SystemExit(0)


def _enter_run(composed: DictConfig) -> bool:
    """Hold the directory of a single run; False where the run in it was finished before."""
    from descent import entering

    _at_the_end.callback(entering.leave_all)
    return entering.run(composed, typed(composed))


def enter_sweep(composed: DictConfig) -> Path:
    """Hold the directory of a multirun until the end."""
    from descent import entering

    _at_the_end.callback(entering.leave_all)
    return entering.sweep(composed)


def enter_point(composed: DictConfig, directory: Path) -> float | None:
    """Hold the directory of a multirun's job; the objective of the run in it where that was finished before."""
    from descent import entering

    return entering.point(typed(composed), directory)


def leave_point(directory: Path) -> None:
    """The job is over."""
    from descent import entering

    entering.leave(directory)


def admit(composed: Sequence[DictConfig], trials: int | None = None, workers: int = 1) -> bool:
    """Check every job before the first one starts; with dry_run price them, or so many trials like them, instead."""
    configs = [typed(one) for one in composed]
    outputs.refuse_place(configs[0].outputs)
    for config in configs:
        if config.one_of_many and config.resume not in ("auto", "never"):
            raise rules.refuse("resume", config.resume, "auto | never in a multirun", "a run goes on alone")
        presence.refuse_absent(config)
    if any(config.tracking.kind != "none" and not config.dry_run for config in configs):
        courier.start()  # it imports what it needs while this process does

    from descent import dry_run, signatures

    for config in configs:
        signatures.check(config)
    if len({config.dry_run for config in configs}) > 1:
        raise rules.refuse("dry_run", "true and false", "one of them for a whole multirun")
    if processes.rank() == 0:
        for line in dict.fromkeys(line for config in configs for line in advice.warnings(config.settings)):
            print(line, file=sys.stderr)
    if configs[0].dry_run:
        dry_run.show(configs, trials, workers)
        return False
    if len(configs) > 1:
        _rehearse(configs)
    return True


def _rehearse(configs: Sequence[Config]) -> None:
    """Build every job once: what its parts refuse shows before the first one runs."""
    from descent import assembly

    data, made_from = None, None
    for config in configs:
        origin = config.dataset.settings, config.folds, config.fold
        if origin != made_from:
            data, made_from = assembly.load(config), origin
        assembly.assemble(config, data)


def typed(composed: DictConfig) -> Config:
    """The Config of a composed job; Hydra's own node is read from it or, inside a job, from Hydra."""
    own = composed.hydra if "hydra" in composed else HydraConfig.get()
    overrides = OmegaConf.to_container(own.overrides.task)  # not resolved: `lr=${seed}` is what was given
    many = own.mode == RunMode.MULTIRUN or processes.rank() > 0
    return parse(without_hydra(composed), dict(own.runtime.choices), cast(list[str], overrides), many)


def one_line(error: BaseException) -> str:
    """What the user reads."""
    text = f"internal error: {type(error).__name__}: {error}; DESCENT_DEBUG=1 shows where"
    if isinstance(error, DescentError):
        text = sections.told(str(error))
    elif isinstance(error, OSError):
        place = rules.cut(str(error.filename or "disk"), 100)
        text = f"{place}: {error.strerror or error}; free or choose another place with hydra.run.dir=…"
    return rules.cut(mask(text), rules.LONGEST_LINE)


def shortened(text: str, end: str) -> str:
    """Both as one line that is not too long; the end stays whole."""
    return rules.cut(text, rules.LONGEST_LINE - len(end)) + end


def exit_code(error: BaseException) -> int:
    """What the shell sees."""
    if isinstance(error, DescentError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return EnvironmentFault.exit_code if isinstance(error, OSError) else INTERNAL


def or_exit(action: Callable[[], Any]) -> Any:
    """What the action returns; a fault is one line on stderr and its exit code."""
    lifeline.end_quickly()
    try:
        return action()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        _leave(error)


def _leave(error: BaseException) -> NoReturn:
    if os.environ.get("DESCENT_DEBUG") == "1":
        traceback.print_exception(error)
    elif processes.rank() == 0:
        print(one_line(error), file=sys.stderr)
    raise SystemExit(exit_code(error))


def _composing(run: Callable[[], Any], flags: argparse.Namespace) -> None:
    if not flags.shell_completion:
        refuse_impossible(flags.overrides, multirun=flags.multirun)
    try:
        run()
    except Exception as error:
        raise explained(error, flags.overrides, flags.config_dir) from error


def _or_forgotten(job: Callable[[], Any], directory: Path) -> Any:
    """What turns out to be unusable while it is built leaves no more than what is refused before."""
    try:
        return job()
    except Interrupted as error:
        from descent import finding

        if hint := finding.way_on(directory, project_root()):
            error.args = (f"{error}; {hint}",)
        raise
    except (DataError, UsageError):
        from descent import place

        place.forget(directory)
        root = project_root()
        for folder in (directory, *(parent for parent in directory.parents if root in parent.parents)):
            if not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
        raise


def _recalled(flags: argparse.Namespace) -> argparse.Namespace:
    """With the overrides of the run that `resume=` names; a multirun names none."""
    words = flags.overrides
    if flags.multirun or not any(word.lstrip("+").startswith("resume=") for word in words):
        return flags
    from descent.recalling import recalled

    return _put(flags, recalled(words, project_root()))


def _completed(words: Sequence[str]) -> argparse.Namespace:
    """With what stands in params.yaml, and what a stage of a pipeline has its place by."""
    names, sys.argv[1:] = sections.asked(words)
    flags = _flags(sys.argv[1:])
    given = sections.with_overrides(names, flags.overrides)
    return _put(flags, [*given, *stages.place_of(given, flags.multirun)])


def _put(flags: argparse.Namespace, overrides: list[str]) -> argparse.Namespace:
    """The same command line with other overrides."""
    before = flags.overrides
    at = sys.argv.index(before[0], 1) if before else len(sys.argv)
    sys.argv[at : at + len(before)] = flags.overrides = overrides
    return flags


def _flags(words: Sequence[str]) -> argparse.Namespace:
    """Hydra's flags; its own parser answers a wrong one with its whole usage, here it is one line."""
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        if meant := _meant_as_override(message, words):
            raise meant
        raise UsageError(rules.cut(f"{message.removeprefix('argument ')}; --help shows the use", rules.LONGEST_LINE))

    parser.error = refuse  # type: ignore[method-assign]
    flags = parser.parse_args(list(words))
    modes = [f"--{mode.replace('_', '-')}" for mode in MODES if getattr(flags, mode)]
    if len(modes) > 1:
        refuse(f"{modes[1]}: got {' '.join(modes)}, allowed one of them")
    if (flags.resolve or flags.package) and not (flags.cfg or flags.help):
        refuse(f"{'--resolve' if flags.resolve else '--package'}: allowed with --cfg")
    if flags.experimental_rerun:
        refuse("--experimental-rerun: not here, it would load a pickle")
    return flags


def _meant_as_override(message: str, words: Sequence[str]) -> UsageError | None:
    """`--epochs 3` and `--lr=0.1`, as other programs have it."""
    beginning, _, rest = message.partition("unrecognized arguments: ")
    flag = next((word for word in words if word in rest.split()), "") if not beginning else ""
    name, equals, value = flag.lstrip("-").partition("=")
    name = name.replace("-", "_")
    after = words[words.index(flag) + 1 :] if flag and not equals else []
    value = value or next((word for word in after[:1] if not word.startswith("-") and "=" not in word), "…")
    key = rules.SYNONYMS.get(name, name)
    if key not in [*groups(), *OmegaConf.load(CONFIG_DIRECTORY / "config.yaml")]:
        return None
    return rules.refuse(flag, "a flag", "key=value", f"did you mean {key}={value}?")
