"""Metrics."""

from polykeras.metrics.mean import Mean, MeanMetricWrapper, Sum
from polykeras.metrics.metric import METRICS, Metric

get = METRICS.get
