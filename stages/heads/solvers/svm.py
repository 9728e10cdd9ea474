"""A linear support vector machine for every C of a grid: one class against the rest, squared hinge loss.

Each class minimises  1/2 |w|^2 + C sum_i w_i max(0, 1 - t_i (w x_i + b))^2,  t_i = +1 for the class and
-1 otherwise (Fan et al. 2008, "LIBLINEAR"). scikit-learn's ``LinearSVC`` penalises b as well, so that what it finds
depends on where the features' origin is; with a large ``intercept_scaling`` it finds the same.
"""

from __future__ import annotations

from typing import ClassVar

from frostline.stages.heads.newton.losses import Loss, SquaredHinge
from frostline.stages.heads.newton.penalised import PenalisedSolver


class SVMSolver(PenalisedSolver):
    """Support vector machines on prepared rows; ``objective`` is the sum over the classes."""

    loss: ClassVar[Loss] = SquaredHinge()
