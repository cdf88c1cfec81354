"""Data sets built of files and arrays, for any backend."""
