"""``python -m pipeline``: the same as the ``frostline`` command."""

import sys

from pipeline.cli import main

sys.exit(main())
