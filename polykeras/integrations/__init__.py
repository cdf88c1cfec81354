"""Other packages that run polykeras. Each part needs the package of its name."""
