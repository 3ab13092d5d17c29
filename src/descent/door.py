"""The door: Hydra's command line on one side, a checked Config on the other, and one line for whatever is wrong.

A refused command leaves nothing on disk: a single run is checked by a Hydra callback before Hydra makes the run
directory, a multirun by the sweeper before it makes the sweep's.
"""

import argparse
import functools
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from descent import rules
from descent.config import Config, parse, unknown_key
from descent.errors import DescentError, EnvironmentFault, UsageError

Task = Callable[[Config, Path], Any]
CONFIG_DIRECTORY = Path(__file__).parents[2] / "conf"
INTERNAL = 1
INTERRUPTED = 130


def entry_point(task: Task) -> Callable[[], None]:
    """A script's main: composes the command line, checks it, and calls the task with Config and directory."""

    @functools.wraps(task)
    def job(raw: DictConfig) -> Any:
        config, directory = typed(raw), Path(HydraConfig.get().runtime.output_dir)
        return task(config, directory)

    @functools.wraps(task)
    def reported(raw: DictConfig) -> Any:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return job(raw)  # the sweeper says what went wrong and goes on
        return _or_exit(lambda: job(raw))

    def main() -> None:
        os.environ.setdefault("DESCENT_ROOT", str(Path(task.__code__.co_filename).resolve().parents[1]))
        os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise what it would print in ten lines
        _refuse_bad_flags(sys.argv[1:])
        _or_exit(hydra.main(version_base="1.3", config_path="../conf", config_name="config")(reported))

    return main


class Door(Callback):
    """Stands between composing and making the run directory."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        # Hydra swallows every exception here but SystemExit.
        if not _or_exit(lambda: admit([config])):
            raise SystemExit(0)


def admit(composed: Sequence[DictConfig]) -> bool:
    """Check every job before the first one starts; with dry_run price them instead, and start none."""
    configs = [typed(one) for one in composed]

    from descent import dry_run, signatures

    for config in configs:
        signatures.check(config)
    if configs[0].dry_run:
        dry_run.show(configs)
        return False
    return True


def typed(composed: DictConfig) -> Config:
    """The Config of a composed job; Hydra's own node is read from it or, inside a job, from Hydra."""
    own = composed.hydra if "hydra" in composed else HydraConfig.get()
    plain = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    return parse(plain, dict(own.runtime.choices), list(own.overrides.task), own.mode == RunMode.MULTIRUN)


def compose(overrides: Sequence[str] = ()) -> DictConfig:
    """The same composition without a command line, for a REPL and tests."""
    with hydra.initialize_config_dir(str(CONFIG_DIRECTORY), version_base="1.3"):
        return hydra.compose("config", overrides=list(overrides), return_hydra_config=True)


def one_line(error: BaseException) -> str:
    """What the user reads."""
    if isinstance(error, DescentError):
        return str(error)
    if isinstance(error, OSError):
        return (
            f"{error.filename or 'disk'}: {error.strerror or error}; free or choose another place with hydra.run.dir=…"
        )
    return rules.cut(
        f"internal error: {type(error).__name__}: {error}; DESCENT_DEBUG=1 shows where", rules.LONGEST_LINE
    )


def exit_code(error: BaseException) -> int:
    """What the shell sees."""
    if isinstance(error, DescentError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return EnvironmentFault.exit_code if isinstance(error, OSError) else INTERNAL


def _or_exit(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        _leave(_explained(error))


def _leave(error: BaseException) -> NoReturn:
    if os.environ.get("DESCENT_DEBUG") == "1":
        traceback.print_exception(error)
    else:
        print(one_line(error), file=sys.stderr)
    raise SystemExit(exit_code(error))


def _refuse_bad_flags(arguments: Sequence[str]) -> None:
    """Hydra's own parser answers a wrong flag with its whole usage; here it is one line."""
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        _leave(UsageError(rules.cut(f"{message}; --help shows the use", rules.LONGEST_LINE)))

    parser.error = refuse  # type: ignore[method-assign]
    args: argparse.Namespace = parser.parse_args(list(arguments))
    stray = [word for word in args.overrides if "=" not in word and not word.startswith("~")]
    if stray and not args.shell_completion:
        refuse(f"{stray[0]}: not an override, write key=value")


def _explained(error: Exception) -> BaseException:
    """Hydra's composition errors as one line of ours, with the near miss and the choices."""
    if isinstance(error, OverrideParseException):
        return UsageError(
            rules.cut(
                f"{error.override}: not an override that Hydra can read; quote it or write key=value",
                rules.LONGEST_LINE,
            )
        )
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        return rules.refuse(group, choice, " | ".join(error.options), rules.near(choice, error.options))
    if isinstance(error, ConfigCompositionException | HydraException):
        return _refused_override(error)
    return error


def _refused_override(error: Exception) -> UsageError:
    text = " ".join(f"{error} {error.__cause__ or ''}".split())
    found = re.search(r"Could not override '([^']+)'", text)
    if found and ("not in struct" in text or "No match in the defaults list" in text):
        GlobalHydra.instance().clear()
        return unknown_key(found[1], OmegaConf.to_container(_without_hydra(compose())))  # type: ignore[arg-type]
    return UsageError(rules.cut(text, rules.LONGEST_LINE))


def _without_hydra(config: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
