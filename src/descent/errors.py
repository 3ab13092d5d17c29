"""What can go wrong for a user, and the exit code that each kind ends with.

Every message is one line: what, got, allowed, what to do. The entry points print it and exit; nothing else does.
"""

import signal


class DescentError(ValueError):
    """A fault the user can mend; `exit_code` is what the shell sees."""

    exit_code = 1


class UsageError(DescentError):
    """The command or the configuration is wrong."""

    exit_code = 2


class DataError(DescentError):
    """The data is missing, damaged or does not fit what was asked."""

    exit_code = 3


class EnvironmentFault(DescentError):
    """The machine is in the way: disk, device, tracking store."""

    exit_code = 4


class Diverged(DescentError):
    """Training produced a loss that is not finite."""

    exit_code = 5


class Interrupted(DescentError):
    """A signal ended the run; the exit code is the shell's 128 + its number."""

    def __init__(self, number: int, hint: str = "") -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}{hint and f'; {hint}'}")
        self.number, self.exit_code = number, 128 + number
