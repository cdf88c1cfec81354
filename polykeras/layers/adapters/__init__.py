"""Layers around code of one framework. Each runs only with the backend of its framework."""
