"""How a layer works: building, calls, weights, state, masks."""
