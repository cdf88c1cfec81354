"""What quantization makes of a layer's weights and products. The layers themselves know nothing of it.

`polykeras.layers.base.quantizable` is where a layer meets it.
"""
