"""Heads on cached features: g(y) = Wy + b, and others. Importing this loads neither torch nor scikit-learn."""

from frostline.stages.heads.base import Head, HeadPath, check_estimator, check_options, solver
from frostline.stages.heads.files import head_files, read_head
from frostline.stages.heads.kinds import HEADS, Kind, head_kind
from frostline.stages.heads.linear import AffinePath, LinearHead, LinearPath
from frostline.stages.heads.spec import HeadSpec, head_spec, spec_fields
from frostline.stages.heads.stored import Stored

__all__ = [
    "HEADS",
    "AffinePath",
    "Head",
    "HeadPath",
    "HeadSpec",
    "Kind",
    "LinearHead",
    "LinearPath",
    "Stored",
    "check_estimator",
    "check_options",
    "head_files",
    "head_kind",
    "head_spec",
    "read_head",
    "solver",
    "spec_fields",
]
