"""Steps whose batches are shared between workers."""
