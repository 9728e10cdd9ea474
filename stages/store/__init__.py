"""The feature store: shards on disk that are there whole or not at all."""

from frostline.stages.store.featureset import Bad, FeatureSet, in_use, open_set
from frostline.stages.store.files import make_folder, write_atomic
from frostline.stages.store.joint import JointSets
from frostline.stages.store.known import KnownRows
from frostline.stages.store.layout import Layout
from frostline.stages.store.provenance import Provenance
from frostline.stages.store.rowfile import RowFile
from frostline.stages.store.shard import OK, QUARANTINED, Shard, encode_ids, id_width
from frostline.stages.store.store import Features, FeatureStore, common, load, plain, stacked
from frostline.stages.store.writeback import WriteBack

__all__ = [
    "OK",
    "QUARANTINED",
    "Bad",
    "FeatureSet",
    "FeatureStore",
    "Features",
    "JointSets",
    "KnownRows",
    "Layout",
    "Provenance",
    "RowFile",
    "Shard",
    "WriteBack",
    "common",
    "encode_ids",
    "id_width",
    "in_use",
    "load",
    "make_folder",
    "open_set",
    "plain",
    "stacked",
    "write_atomic",
]
