"""Small modules that all others may use: names, nested structures, checks of arguments, settings."""
