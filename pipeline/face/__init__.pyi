from frostline.pipeline.records.run import Extracted as Extracted
from frostline.pipeline.records.run import Fitted as Fitted
from frostline.pipeline.records.run import Probe as Probe
from frostline.pipeline.records.run import Report as Report
from frostline.pipeline.run.run import evaluate as evaluate
from frostline.pipeline.run.run import extract as extract
from frostline.pipeline.run.run import fit as fit
from frostline.pipeline.run.run import run as run
from frostline.pipeline.serve.answers import Prediction as Prediction
from frostline.pipeline.serve.predict import Classifier as Classifier
from frostline.pipeline.serve.predict import load_classifier as load_classifier
from frostline.pipeline.serve.predict import predict as predict
from frostline.pipeline.settings import ExtractSettings as ExtractSettings
from frostline.pipeline.settings import HeadSettings as HeadSettings
from frostline.pipeline.settings import PredictSettings as PredictSettings
from frostline.pipeline.settings import Settings as Settings
from frostline.stages.errors import ConfigError as ConfigError
from frostline.stages.errors import DataError as DataError
from frostline.stages.errors import FrostlineError as FrostlineError
from frostline.stages.errors import StoreError as StoreError
from frostline.stages.store import Features as Features
from frostline.stages.store import FeatureSet as FeatureSet
from frostline.stages.store import load as load
from frostline.stages.store import open_set as open_set

__version__: str
