"""The heads as scikit-learn estimators, each with one value of its parameter, by scikit-learn's conventions.

===========  =========================  ========================
head         classifier                 regressor
===========  =========================  ========================
``logreg``   ``LogisticClassifier``
``ridge``    ``RidgeClassifier``        ``RidgeRegressor``
``lda``      ``LDAClassifier``
``centroid`` ``CentroidClassifier``
``svm``      ``SVMClassifier``
``linear``   ``LinearSGDClassifier``    ``LinearSGDRegressor``
``adamw``    ``AdamWClassifier``
``knn``      ``KNNClassifier``          ``KNNRegressor``
===========  =========================  ========================

Defaults are those of the command line. ``tol``, ``max_iter`` and ``random_state`` are what ``--head-params`` calls
``tolerance`` and ``max_iterations``, and ``--seed``. Importing this loads scikit-learn, and no
torch.
"""

from frostline.stages.heads.estimators.base import FLOATS, ClassWeight, used_rows
from frostline.stages.heads.estimators.classifiers import (
    AdamWClassifier,
    CentroidClassifier,
    KNNClassifier,
    LDAClassifier,
    LinearSGDClassifier,
    LogisticClassifier,
    RidgeClassifier,
    SVMClassifier,
)
from frostline.stages.heads.estimators.linear import coefficients, linear_scores
from frostline.stages.heads.estimators.regressors import KNNRegressor, LinearSGDRegressor, RidgeRegressor

__all__ = [
    "FLOATS",
    "AdamWClassifier",
    "CentroidClassifier",
    "ClassWeight",
    "KNNClassifier",
    "KNNRegressor",
    "LDAClassifier",
    "LinearSGDClassifier",
    "LinearSGDRegressor",
    "LogisticClassifier",
    "RidgeClassifier",
    "RidgeRegressor",
    "SVMClassifier",
    "coefficients",
    "linear_scores",
    "used_rows",
]
