"""Memory is kept from one layer to the next."""

from __future__ import annotations

import platform

import pytest

from frostline.stages.backbones.optimize.allocator import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_large_blocks_are_kept_where_the_c_library_is_glibc() -> None:
    assert keep_freed_memory()
