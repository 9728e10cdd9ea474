"""Parts of a matrix for tests, and a bench of it."""

from __future__ import annotations

import json
from typing import Any

from frostline.pipeline.bench.bench import bench
from frostline.pipeline.bench.leaderboard import Leaderboard
from frostline.pipeline.bench.matrix import Matrix
from frostline.pipeline.bench.render import as_json
from frostline.pipeline.bench.schedule import schedule

DIGITS = '[[dataset]]\ndataset = "digits"\n'
SHIPPED = '[[backbone]]\nbackbone = "resnet8-cifar10"\n'
SMALL = SHIPPED + 'resize = "16x16"\n'  # a quarter of the pixels
PIXELS = '[[backbone]]\nbackbone = "pixels"\n'
RIDGE = '[[head]]\nhead = "ridge"\ngrid = [1]\n'
LAYER1 = '[[backbone]]\nbackbone = "resnet8-cifar10"\nlayer = "layer1"\npool = "avg"\nresize = "16x16"\n'
CENTROID = '[[head]]\nhead = "centroid"\n'
CURVE = '[[head]]\nhead = "centroid"\nshots = [1, 2, 5]\ndraws = 3\n'


def done(matrix: Matrix) -> Leaderboard:
    return bench(matrix, schedule(matrix))


def numbers(board: Leaderboard | dict[str, Any]) -> list[Any]:
    """Return what a leaderboard says, but for times, and for bytes: the speed that lies with features is among them."""
    whole = json.loads(as_json(board)) if isinstance(board, Leaderboard) else board
    text = json.loads(json.dumps([whole["entries"], whole["curves"], whole["predicted"]]))
    for entry in text[0]:
        entry["costs"] = entry["costs"]["parameters"]
        del entry["fit_seconds"]
    for curve in text[1]:
        for point in curve["curve"]["points"]:
            del point["seconds"]
    return text
