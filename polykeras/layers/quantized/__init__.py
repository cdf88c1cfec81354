"""How quantization changes a layer's weights and products. The layers themselves do not know about it.

`polykeras.layers.base.quantizable` connects the two.
"""
