"""torchvision and what needs it, imported without torch's compiler, which takes as long as torch itself.

``torchvision.ops`` imports ``torch._dynamo`` for one function, which only a GPU's ``roi_align`` calls.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

_NAME = "torch._dynamo.utils"
_ASKED_LATER = "is_compile_supported"


class _Later(ModuleType):
    """Stands for a module that is imported as soon as anything of it but one function's name is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for these
            raise AttributeError(name)
        return _called_later if name == _ASKED_LATER else getattr(_real(), name)


def _called_later(*args: Any, **options: Any) -> Any:
    return getattr(_real(), _ASKED_LATER)(*args, **options)


def _real() -> ModuleType:
    if isinstance(sys.modules.get(_NAME), _Later):
        del sys.modules[_NAME]
    return import_module(_NAME)


@contextmanager
def compiler_later() -> Iterator[None]:
    """Have what is imported meanwhile import ``torch._dynamo`` only when it is used."""
    if _NAME not in sys.modules:
        sys.modules[_NAME] = _Later(_NAME)
    try:
        yield
    finally:
        if isinstance(sys.modules.get(_NAME), _Later):
            del sys.modules[_NAME]
