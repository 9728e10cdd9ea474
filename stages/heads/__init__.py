"""Heads on cached features: g(y) = Wy + b, and others. Importing this loads neither torch nor scikit-learn."""

from frostline.stages.heads.base import Head, Path, check_options, solver
from frostline.stages.heads.files import head_files, read_head
from frostline.stages.heads.linear import LinearHead, LinearPath
from frostline.stages.heads.spec import KINDS, HeadSpec, head_spec

__all__ = [
    "KINDS",
    "Head",
    "HeadSpec",
    "LinearHead",
    "LinearPath",
    "Path",
    "check_options",
    "head_files",
    "head_spec",
    "read_head",
    "solver",
]
