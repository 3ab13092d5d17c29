"""What a run leaves behind; most of it is read back in e2e/test_tracked_runs.py."""

import pytest

from descent.record import maxrss_unit


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_what_a_system_counts_memory_in(system, unit):
    assert maxrss_unit(system) == unit
