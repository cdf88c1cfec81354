"""What the tests of several folders share. Imported as `helpers` (pyproject puts `tests` on the path)."""

from helpers.arrays import data, f32, host
from helpers.parity import assert_parity, relative_error

__all__ = ["assert_parity", "data", "f32", "host", "relative_error"]
