"""What training on several workers costs: beside loops by experts, beside one process, and as a model of cost.

`python -m benchmarks.distributed` starts the workers, measures and prints. The worker processes run `worker.py`. The
loops of experts stand in `experts_FRAMEWORK.py`; their models are those of `benchmarks.native`.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Workers are started, and ended whatever happens, by what the tests have for that.
sys.path.append(str(Path(__file__).parents[2] / "tests"))
