"""Logistic regression of many labels, each against the rest, for every C of a grid; see ``newton/binary.py``."""

from __future__ import annotations

from typing import ClassVar

from frostline.stages.heads.newton.binary import BinaryLoss, PenalisedLabelsSolver
from frostline.stages.heads.newton.losses import Sigmoid


class LogisticLabelsSolver(PenalisedLabelsSolver):
    """All labels and all C together; the penalty is scikit-learn's."""

    loss: ClassVar[BinaryLoss] = Sigmoid()
