"""Heads on cached features: g(y) = Wy + b, and others. Importing this loads neither torch nor scikit-learn."""

from stages.heads.bundle import head_files, read_head
from stages.heads.linear import LinearHead, LinearPath
from stages.heads.solver import Head, Path, check_options, solver
from stages.heads.spec import KINDS, HeadSpec, head_spec

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
