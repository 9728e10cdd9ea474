"""For tests of networks that OpenVINO runs."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def require_openvino() -> None:
    """Skip a module's tests where OpenVINO is not installed.

    It is not imported here: only Frostline imports it so that it starts no processes which tell its maker of its use.
    """
    if find_spec("openvino") is None:
        pytest.skip("openvino is not installed; pip install 'frostline[openvino]'", allow_module_level=True)
