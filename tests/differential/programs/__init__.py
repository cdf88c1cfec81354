"""Random programs of many calls: what a user sees over a whole program, here and in Keras."""
