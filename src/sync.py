"""Ship to the tracking store what runs could not: it was away, or they were killed.

python src/sync.py
"""

import os
import sys
from pathlib import Path


def main() -> None:
    root = Path(os.environ.setdefault("DESCENT_ROOT", str(Path(__file__).resolve().parents[1])))
    if sys.argv[1:]:
        print(f"sync: got {sys.argv[1]}, allowed nothing; it ships whatever waits", file=sys.stderr)
        raise SystemExit(2)

    from descent.errors import EnvironmentFault
    from descent.tracking.sync import sync

    waits = 0
    for number, sent in enumerate(sync(root), 1):
        waits += sent.waits is not None
        state = f"waits: {sent.waits}" if sent.waits else "complete"
        print(f"{number}. {sent.name} ({sent.local_id[:8]}): {sent.records} records shipped to {sent.where}; {state}")
    print(f"{waits} still waiting" if waits else "nothing is waiting")
    raise SystemExit(EnvironmentFault.exit_code if waits else 0)


if __name__ == "__main__":
    main()
