"""A network of the user's own: ``file.py:factory`` or ``pkg.module:factory``."""

from __future__ import annotations

import torch
from torch import nn

from frostline.stages.errors import ConfigError
from frostline.stages.user_code.call import call_factory


def made_by_factory(name: str) -> nn.Module:
    """Return the network that a factory returns, called without arguments at seed 0.

    A new network is wanted at each call: it is frozen, and rebuilt. Raises ConfigError: see
    ``call_factory``; not a network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = call_factory(name)
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{name} returned a {type(model).__name__}; wanted a torch.nn.Module")
    return model
