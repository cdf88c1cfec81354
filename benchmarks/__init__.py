"""Step times beside Keras 3 and hand-written loops. `python -m benchmarks --help`."""
