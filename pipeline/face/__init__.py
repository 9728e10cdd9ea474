"""Frozen features, linear heads: run a pretrained encoder once, cache its features, fit and compare heads.

The commands as functions, their settings and their records; see the README.
"""
