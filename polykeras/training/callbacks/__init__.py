"""Objects that watch or steer training."""

from polykeras.training.callbacks.backup import BackupAndRestore
from polykeras.training.callbacks.base import Callback
from polykeras.training.callbacks.callback_list import CallbackList
from polykeras.training.callbacks.checkpoint import ModelCheckpoint
from polykeras.training.callbacks.csv_logger import CSVLogger
from polykeras.training.callbacks.history import History
from polykeras.training.callbacks.lambda_callback import LambdaCallback
from polykeras.training.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from polykeras.training.callbacks.monitor import MonitorCallback
from polykeras.training.callbacks.orbax import OrbaxCheckpoint
from polykeras.training.callbacks.progress import ProgbarLogger
from polykeras.training.callbacks.remote import RemoteMonitor
from polykeras.training.callbacks.stopping import EarlyStopping, TerminateOnNaN
from polykeras.training.callbacks.swapping import SwapEMAWeights
from polykeras.training.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "OrbaxCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
