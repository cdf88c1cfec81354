"""What the tests of several folders share. Imported as `helpers` (pyproject puts `tests` on the path)."""

from helpers.parity import assert_parity, relative_error

__all__ = ["assert_parity", "relative_error"]
