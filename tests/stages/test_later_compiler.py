"""torchvision is imported without torch's compiler, which is there all the same for whoever uses it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LEAN = """
import json, sys
from frostline.stages.later_compiler import compiler_later
with compiler_later():
    import torchvision
loaded = sorted({"torch._dynamo", "sympy"} & {*sys.modules})
"""
# In a copy of the process that asks for the compiler first of all: what it gets.
ASKED = """
import os
reader, writer = os.pipe()
if os.fork() == 0:
    import torch._dynamo.utils as utils
    same = utils is sys.modules["torch._dynamo.utils"]
    found = [utils.__spec__.name, same, utils.is_compile_supported("cpu"), hasattr(utils, "counters")]
    os.write(writer, json.dumps(found).encode())
    os._exit(0)
os.close(writer)
"""
ROIS = "ops.roi_align(torch.arange(64.0).view(1, 1, 8, 8), [torch.tensor([[0.0, 0.0, 4.0, 4.0]])], 2)"


def printed(program: str) -> object:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def lean() -> dict[str, object]:
    """What is loaded with torchvision, what an operation gives, and what the function that torchvision took says."""
    program = f"{ASKED}import torch\nfrom torchvision import ops\nrois = {ROIS}.tolist()\n"
    program += "from torchvision.ops.roi_align import is_compile_supported as took\nbefore = took('cpu')\n"
    program += "import torch._dynamo.utils as utils\nafter = utils.is_compile_supported('cpu')\n"
    program += "os.wait()\nasked = json.load(open(reader))\n"
    program += "print(json.dumps({'loaded': loaded, 'rois': rois, 'before': before, 'after': after, 'asked': asked}))"
    found = printed(LEAN + program)
    assert isinstance(found, dict)
    return found


def test_torchvision_comes_without_the_compiler(lean: dict[str, object]) -> None:
    assert lean["loaded"] == []


def test_the_compiler_is_there_for_who_asks_for_it_afterwards(lean: dict[str, object]) -> None:
    assert lean["asked"] == ["torch._dynamo.utils", True, True, True]


def test_the_function_that_torchvision_took_is_the_compilers_when_it_is_called(lean: dict[str, object]) -> None:
    assert lean["before"] == lean["after"]


def test_what_asks_for_more_meanwhile_gets_the_compiler_itself() -> None:
    program = (
        "import json, sys, torch\n"
        "from frostline.stages.later_compiler import compiler_later\n"
        "with compiler_later():\n"
        "    import torchvision\n"
        "    from torch._dynamo.utils import counters\n"
        "    import torch._dynamo\n"
        "there = sys.modules['torch._dynamo.utils']\n"
        "print(json.dumps([counters is torch._dynamo.utils.counters, there.__spec__ is not None]))"
    )
    assert printed(program) == [True, True]


def test_torchvisions_operations_give_what_they_give_otherwise(lean: dict[str, object]) -> None:
    told = f"import json, torch; from torchvision import ops; print(json.dumps({ROIS}.tolist()))"
    assert lean["rois"] == printed(told)
