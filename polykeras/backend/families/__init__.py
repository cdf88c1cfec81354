"""The methods of a backend, one family in each file; `polykeras.backend.base` lists them."""
