"""Settings: one model for the command line, the environment, a TOML file and Python."""

from frostline.pipeline.settings.backbone import BackboneSettings
from frostline.pipeline.settings.base import AnySettings, WorkspaceSettings
from frostline.pipeline.settings.dataset import DatasetSettings
from frostline.pipeline.settings.extraction import (
    BenchSettings,
    ExtractSettings,
    PredictSettings,
    RankSettings,
    ServeSettings,
)
from frostline.pipeline.settings.heads import HeadSettings
from frostline.pipeline.settings.load import load_settings
from frostline.pipeline.settings.run import Draw, Settings

__all__ = [
    "AnySettings",
    "BackboneSettings",
    "BenchSettings",
    "DatasetSettings",
    "Draw",
    "ExtractSettings",
    "HeadSettings",
    "PredictSettings",
    "RankSettings",
    "ServeSettings",
    "Settings",
    "WorkspaceSettings",
    "load_settings",
]
