"""Expected values that we did not compute: recorded once from Keras 3, compared on every backend without it.

`record.py` writes `data/FAMILY.json` and `data/FAMILY.npz` (with Keras installed, by hand); `tests/contract/test_recorded_*.py` rebuild
each object from its recorded config, give it the recorded weights and inputs, and compare. A new layer, loss, ... is one line
in its table of cases, and a run of `PYTHONPATH=tests:. python -m recorded.record FAMILY`.

Where Keras is wrong, an entry of `known_differences/from_keras` says so, and the case must differ.
"""
