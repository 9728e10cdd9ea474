"""Parts of a matrix for tests, and a bench of it."""

from __future__ import annotations

from pipeline.bench import bench
from pipeline.leaderboard import Leaderboard
from pipeline.matrix import Matrix
from pipeline.passes import planned

DIGITS = '[[dataset]]\ndataset = "digits"\n'
SHIPPED = '[[backbone]]\nbackbone = "resnet8-cifar10"\n'
PIXELS = '[[backbone]]\nbackbone = "pixels"\n'
RIDGE = '[[head]]\nhead = "ridge"\ngrid = [1]\n'
LAYER1 = '[[backbone]]\nbackbone = "resnet8-cifar10"\nlayer = "layer1"\npool = "avg"\n'
CENTROID = '[[head]]\nhead = "centroid"\n'
CURVE = '[[head]]\nhead = "centroid"\nshots = [1, 2, 5]\ndraws = 3\n'


def done(matrix: Matrix) -> Leaderboard:
    return bench(matrix, planned(matrix))
