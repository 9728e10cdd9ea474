"""An extraction into a bucket as a process of its own: ``python -m faults.bucket_process ADDRESS``."""

from __future__ import annotations

import sys
from pathlib import Path

from faults.work import samples, work
from frostline.stages.store.places import claims

MANY = samples(range(60))

if __name__ == "__main__":
    claims.RENEW_SECONDS, claims.DEAD_SECONDS, claims._POLL_SECONDS = 0.2, 2.0, 0.05
    print("begins", flush=True)
    work(Path(sys.argv[1]), some=MANY)
