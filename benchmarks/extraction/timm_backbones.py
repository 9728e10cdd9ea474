"""Models of timm: is the default feature what timm's own ``forward_head(..., pre_logits=True)`` gives?

    python -m benchmarks.extraction.timm_backbones [NAME ...]

Each model, with random weights, embeds two images of noise at its own size, one model at a time. The features are
compared with ``forward_head(forward_features(x), pre_logits=True)`` of the same model, built by timm with its
classifier. Exits with status 1 if any model disagrees, or gives another width.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np
import timm
import torch
from PIL import Image
from torch import Tensor, fx

from benchmarks.extraction.all_backbones import to_input
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.modalities.image.spec import Preprocessing

TOLERANCE = 1e-4
NAMES = """
beit_base_patch16_224 bat_resnext26ts botnet26t_256 cait_xxs24_224 coat_tiny coat_lite_tiny coatnet_nano_rw_224
convit_tiny convmixer_768_32 convnext_atto convnextv2_atto crossvit_tiny_240 cspresnet50 darknet53 davit_tiny
deit_tiny_patch16_224 deit_tiny_distilled_patch16_224 deit3_small_patch16_224 densenet121 dla34 dpn48b
edgenext_xx_small efficientformer_l1 efficientformerv2_s0 efficientnet_b0 tf_efficientnet_lite0 efficientvit_b0
efficientvit_m0 efficientvim_m1 eva02_tiny_patch14_224 fastvit_t8 focalnet_tiny_srf gcvit_xxtiny ghostnet_100
ghostnetv2_100 hardcorenas_a hgnetv2_b0 hrnet_w18_small inception_next_tiny inception_v3 lcnet_050 levit_128s
mambaout_femto maxvit_nano_rw_256 mixer_s16_224 mixnet_s mobilenetv2_050 mobilenetv3_small_050
mobilenetv4_conv_small_050 mobileone_s0 mobilevit_xxs mobilevitv2_050 mvitv2_tiny nest_tiny nf_regnet_b0 nfnet_f0
pit_ti_224 poolformer_s12 pvt_v2_b0 regnetx_002 repghostnet_050 repvgg_a0 repvit_m0_9 res2net50_14w_8s resnest14d
resnet10t resnet50_clip rexnet_100 selecsls42b semnasnet_075 seresnext26d_32x4d shvit_s1 skresnet18 swiftformer_xs
swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 tiny_vit_5m_224 tinynet_e tnt_s_legacy_patch16_224 tresnet_m
twins_svt_small vgg11 visformer_tiny vit_tiny_patch16_224 vit_base_patch16_siglip_224 vit_small_patch14_dinov2
vit_small_patch16_dinov3 volo_d1_224 vovnet39a xception41 xcit_nano_12_p16_224
"""


@dataclass(frozen=True)
class Result:
    """What one model gave; as text, its line of the table."""

    name: str
    family: str
    width: int
    timm_width: int
    difference: float
    graph: bool
    seconds: float

    @property
    def agrees(self) -> bool:
        return self.width == self.timm_width and self.difference <= TOLERANCE

    def __str__(self) -> str:
        how = "graph" if self.graph else "as written"
        end = "" if self.agrees else f"  DISAGREES ({self.timm_width})"
        numbers = f"{self.width:>6,} {self.difference:.1e}  {how:10} {self.seconds:5.1f} s"
        return f"{self.name:34} {self.family:22} {numbers}{end}"


@torch.inference_mode()
def own_features(name: str, x: Tensor) -> Tensor:
    """Return what timm gives before the last layer, its weights drawn as Frostline draws them."""
    torch.manual_seed(0)
    model = timm.create_model(name).eval()
    features: Tensor = model.forward_head(model.forward_features(x), pre_logits=True)
    return features


def check(name: str, **changes: object) -> Result:
    """Return how a model's default features, of images preprocessed with ``changes``, compare with timm's own."""
    started = time.perf_counter()
    noise = np.random.default_rng(1).integers(0, 256, (2, 600, 600, 3), np.uint8)
    backbone = load_backbone(
        BackboneRequest(f"timm:{name}", "random", preprocessing=changes), Image.fromarray(noise[0])
    )
    height, width = backbone.spec.size
    assert isinstance(backbone.preprocessing, Preprocessing)
    pixels = noise[:, :height, :width]
    features, is_graph = (
        torch.from_numpy(backbone.embed({"pixels": pixels})),
        isinstance(backbone.network, fx.GraphModule),
    )
    wanted = own_features(name, to_input(pixels, backbone.preprocessing))
    same_shape = wanted.shape == features.shape
    difference = float((features - wanted).abs().max() / wanted.abs().max()) if same_shape else float("nan")
    family = sys.modules[timm.models.model_entrypoint(name).__module__].__name__.rpartition(".")[2]
    seconds = time.perf_counter() - started
    return Result(name, family, features.shape[1], wanted.shape[-1], difference, is_graph, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models (default: those of the table)")
    names = parser.parse_args().names or NAMES.split()
    print(f"{'model':34} {'family':22} {'width':>6} largest relative difference", flush=True)
    started, results = time.perf_counter(), []
    for name in names:
        try:
            results.append(check(name))
            print(results[-1], flush=True)
        except Exception as error:
            print(f"{name:34} FAILED {type(error).__name__}: {error}", flush=True)
    agreeing, families = sum(one.agrees for one in results), {one.family for one in results if one.agrees}
    passed = f"{agreeing} of {len(names)} agree to {TOLERANCE:.0e}, of {len(families)} of timm's files"
    print(f"{passed} ({time.perf_counter() - started:.0f} s)")
    return 0 if agreeing == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
