"""Checks around a step: of NaN, and of compiled against eager results. A step is wrapped, or not, when it is made."""
