"""Layers around code of one framework, which run with the backend of that framework alone."""
