"""Chunks: consecutive steps that run in one call, cut from arrays, from streams, or for functions of a user's."""
