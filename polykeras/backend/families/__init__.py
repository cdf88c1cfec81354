"""The methods of a backend by family, a family a file; `polykeras.backend.base` lists them."""
