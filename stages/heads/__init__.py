"""Heads: g(y) = Wy + b on cached features. Importing this loads no torch."""

from stages.heads.linear import LinearHead, head_files, normalized, read_head

__all__ = ["LinearHead", "head_files", "normalized", "read_head"]
