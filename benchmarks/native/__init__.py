"""Loops by hand: what an expert writes on each framework with no library on top.

Each module `benchmarks.native.loops_FRAMEWORK` has `trainers` and `predictors`. Both return several ways to do the
same, by name, as functions that begin anew; the worker measures each in full, and `--check` compares all.
"""
