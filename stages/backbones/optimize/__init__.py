"""What makes a network faster, some of it by operations that torch does not promise to keep.

All that relies on such operations is in this room, and this is its door: ``--optimize none`` does without it. What an
old torch knows of the CPU's bf16 is asked in ``stages/capabilities.py``: heads ask that, too.
"""

from __future__ import annotations

from frostline.stages.backbones.optimize.on_cuda import fused_convolutions, settle
from frostline.stages.backbones.optimize.packing import packed
from frostline.stages.backbones.optimize.processor import described_processor
from frostline.stages.backbones.optimize.trace import has_hooks
from frostline.stages.backbones.optimize.verified import optimized

__all__ = [
    "described_processor",
    "fused_convolutions",
    "has_hooks",
    "optimized",
    "packed",
    "settle",
]
