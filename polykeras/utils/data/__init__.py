"""Data sets made from files and arrays, for any backend."""
