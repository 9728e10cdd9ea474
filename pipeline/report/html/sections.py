"""What the sections of pages are called, by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "heads": "Comparison of heads",
        "curves": "Learning curve",
        "scores": "All scores",
        "mistakes": "Mistakes",
        "confidence": "Calibration",
        "labels": "Scores by label",
        "values": "Predicted and true values",
        "map": "Map of the test samples",
        "data": "Data quality",
        "setup": "How it was run",
        "provenance": "Reproduce",
        "backbones": "Best head of each backbone",
        "differing": "Differences between the runs",
        "runs": "The runs",
    }
)
