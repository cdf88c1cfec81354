"""Training by the workers of Ray: `PolykerasTrainer`, and the callback that reports to Ray and goes on after a loss."""

# Types are also checked where the extra `ray` is missing.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

try:
    import ray.train
    import ray.tune  # noqa: F401
except ImportError as error:
    raise ImportError("polykeras.integrations.ray needs Ray: pip install 'polykeras[ray]'") from error

from polykeras.integrations.ray.reporting import ReportCheckpointCallback
from polykeras.integrations.ray.trainer import PolykerasConfig, PolykerasTrainer

__all__ = ["PolykerasConfig", "PolykerasTrainer", "ReportCheckpointCallback"]
