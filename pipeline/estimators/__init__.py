"""Estimators that do what the command does: probes that choose, and features from a cache."""
