"""Several layers of one network from one forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings
from frostline.stages.backbones.inference.dispatch import stream
from frostline.stages.backbones.inference.frozen import AnyBackbone, on_device
from frostline.stages.modalities.base import Arrays, Item, Sample


class SharedPass:
    """Backbones that differ in layer and pooling alone, as one: their features side by side, in their order.

    ``network``: from a batch to what each backbone's layer gives.
    """

    def __init__(self, backbones: Sequence[Backbone], network: nn.Module) -> None:
        self._backbones, self._network = backbones, network
        self.spec, self.device = backbones[0].spec, backbones[0].device
        self.frame = backbones[0].frame
        self.width = sum(backbone.width for backbone in backbones)

    @torch.inference_mode()
    def embed(self, batch: Arrays) -> NDArray[np.float32]:
        """Return the features, float32 (batch, the sum of all widths), of images as ``Backbone.embed`` takes them."""
        return self.features(on_device(batch, self.device)).cpu().numpy()

    def stream(self, batches: Iterable[Arrays], limit: BatchLimit) -> Iterator[Embeddings]:
        """Yield what ``embed`` gives of each batch, in order, as ``Backbone.stream`` does."""
        return stream(self, batches, limit)

    def features(self, given: Mapping[str, Tensor]) -> Tensor:
        """Return the features, float32 (batch, all widths), of images as ``Backbone.features`` takes them."""
        values = self._network(self._backbones[0].prepared(given))
        return torch.cat([one.pooled(value) for one, value in zip(self._backbones, values, strict=True)], dim=1)

    def raw(self, sample: Sample) -> Item | None:
        """Return what ``embed`` takes of an image as it is, or None."""
        return self._backbones[0].raw(sample)


def share_pass(networks: Sequence[AnyBackbone]) -> SharedPass | None:
    """Return one pass for layers of one network of images; None unless it gives the very bits that each alone gives."""
    backbones = [one for one in networks if isinstance(one, Backbone)]
    if len(backbones) < len(networks):
        return None
    graphs = [backbone.network for backbone in backbones if isinstance(backbone.network, fx.GraphModule)]
    kinds = {(backbone.spec.preprocessing, backbone.spec.size, backbone.precision) for backbone in backbones}
    if len(kinds) > 1 or len(graphs) < len(backbones):
        return None
    network = _tapped(graphs)
    if network is None:
        return None
    shared = SharedPass(backbones, network)
    noise = {"pixels": np.random.default_rng(0).integers(0, 256, (2, *shared.spec.size, 3), np.uint8)}
    alone = np.concatenate([backbone.embed(noise) for backbone in backbones], axis=1)
    return shared if np.array_equal(shared.embed(noise), alone, equal_nan=True) else None


def _tapped(graphs: Sequence[fx.GraphModule]) -> fx.GraphModule | None:
    """Return the deepest graph, giving what each of them gives; None unless all others are where it begins."""
    deepest = max(graphs, key=lambda graph: len(graph.graph.nodes))
    merged, mapping = fx.Graph(), dict[fx.Node, fx.Node]()
    merged.graph_copy(deepest.graph, mapping)
    taps = []
    for graph in graphs:
        last = _place(graph.graph, deepest.graph)
        if last is None:
            return None
        with merged.inserting_after(mapping[last]):
            taps.append(merged.call_function(Tensor.clone, (mapping[last],)))  # what follows may write over it
    merged.output(tuple(taps))
    return fx.GraphModule(deepest, merged).eval()


def _place(graph: fx.Graph, deeper: fx.Graph) -> fx.Node | None:
    """Return the node of a deeper graph that gives what a graph gives; None unless it begins with all of that."""
    same: dict[fx.Node, fx.Node] = {}
    for node, other in zip(graph.nodes, deeper.nodes, strict=False):
        if node.op == "output":
            given = node.args[0]
            return same.get(given) if isinstance(given, fx.Node) else None
        arguments = fx.map_arg((node.args, node.kwargs), same.__getitem__)
        if (node.op, node.target, arguments) != (other.op, other.target, (other.args, other.kwargs)):
            return None
        same[node] = other
    return None
