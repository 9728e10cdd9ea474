"""What the tests of a GPU share: the device, and the word that there is none.

``TEST_DEVICE=cpu pytest tests/stages/*/test_cuda_*.py`` rehearses them without one.
"""

from __future__ import annotations

import os

import pytest
import torch

DEVICE = os.environ.get("TEST_DEVICE", "cuda")
needs_gpu = pytest.mark.skipif(
    DEVICE == "cuda" and not torch.cuda.is_available(), reason="no GPU that torch can use here"
)
two_devices = pytest.mark.skipif(DEVICE == "cpu", reason="TEST_DEVICE=cpu: the processor would be compared with itself")
needs_two = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two GPUs here")
