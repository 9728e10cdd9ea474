"""``python -m frostline``: the same as the ``frostline`` command."""

import sys

from frostline.pipeline.cli.main import main

sys.exit(main())
