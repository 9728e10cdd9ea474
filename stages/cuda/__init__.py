"""Captured CUDA graphs, which networks and heads run as."""
