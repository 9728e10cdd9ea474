"""Linear support vector machines of many labels, each against the rest, for every C of a grid.

The objective of a label is that of ``svm`` for a class: the squared hinge loss, b without a penalty.
"""

from __future__ import annotations

from typing import ClassVar

from frostline.stages.heads.newton.binary import BinaryLoss, PenalisedLabelsSolver
from frostline.stages.heads.newton.losses import BinaryHinge


class SVMLabelsSolver(PenalisedLabelsSolver):
    """All labels and all C together; the penalty is scikit-learn's."""

    loss: ClassVar[BinaryLoss] = BinaryHinge()
