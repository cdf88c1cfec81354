"""Layers of frameworks as layers of ours, each loaded when it is first named."""
