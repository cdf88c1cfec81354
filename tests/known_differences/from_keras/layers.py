"""Layers that differ from those of Keras."""

from __future__ import annotations

from known_differences.from_keras.entry import FromKeras

LAYERS = (
    FromKeras(
        "layers.Attention layers.AdditiveAttention",
        "Attention-none left-* | AdditiveAttention-mask-*",
        "gradient",
        "0 in the scores of a query that may look at no key",
        "that of a softmax of the scores, though its result does not move with them",
        "score - 1e9 is -1e9 in float32, whatever the score: the result is the mean of the values, and its slope 0",
    ),
    FromKeras(
        "layers.GlobalAveragePooling1D",
        "GlobalAveragePooling1D-none left-*",
        "value",
        "0 of a sequence of which all is masked",
        "nan: 0 / 0",
        "one such sample would make the loss of its batch nan, and all weights after the step",
    ),
    FromKeras(
        "layers.ConvLSTM1D",
        "ConvLSTM1D-first mask-* | ConvLSTM1D-state mask-* | ConvLSTM1D-none left-*",
        "value",
        "masked times leave the state of their sample as it was",
        "on JAX the mask is laid beside the last axes of the state, not beside the samples; elsewhere as here",
        "Keras on TensorFlow and PyTorch, with which tests/saving/test_exchange.py compares",
    ),
    FromKeras(
        "layers.TimeDistributed",
        "TimeDistributed-mask-*",
        "value",
        "all times are samples of one call: a BatchNormalization within takes its statistics over all of them",
        "a call for each time, with statistics of each; a loop over samples on unknown lengths",
        "one call makes one step of the moving averages, as outside of TimeDistributed and as in Keras 2",
    ),
    FromKeras(
        "layers.AutoContrast",
        "AutoContrast-unit first-*",
        "value",
        "the extremes are of each channel, wherever the channels are",
        "over channels and rows where channels are first",
        "the same image with channels first and last must give the same image",
    ),
    FromKeras(
        "layers.RandomCrop",
        "RandomCrop-inference-*",
        "shape",
        "the middle of the image outside training",
        "the image as it is",
        "Keras documents the middle, and its own shape inference says so",
    ),
    FromKeras(
        "layers.Embedding",
        "Embedding-lora-*",
        "value",
        "`lora_alpha` scales what LoRA adds",
        "the argument of the constructor is lost when the layer is built; that of `enable_lora` counts",
        "Keras documents that the constructor's counts, and its Dense does so",
    ),
    FromKeras(
        "layers.MelSpectrogram",
        "MelSpectrogram-2x40 | MelSpectrogram-decibels-*",
        "gradient",
        "within 4e-6 of the gradient in float64",
        "off by 1e-3, and 2e-4 of decibels",
        "the numpy backend in float64, which finite differences confirm",
    ),
)

EXCHANGED = (
    FromKeras(
        "layers.Maximum layers.Minimum layers.Multiply",
        "*Maximum-mask* | *Minimum-mask* | *Multiply-mask*",
        "exchange",
        "`mask=` of a call is the mask of the inputs, as of every other layer",
        "no argument of a merging layer is a mask: masks come with the inputs alone",
        "Keras documents `mask` among the arguments of a call for all layers that support masking",
    ),
    FromKeras(
        "layers.RMSNormalization",
        "*RMSNormalization-apart*",
        "exchange",
        "the scale belongs to the axes that were given, wherever they are",
        "an error: the scale of axes that are not the last ones does not broadcast",
        "Zhang and Sennrich, Root Mean Square Layer Normalization (2019): each feature has a gain of its own",
    ),
    FromKeras(
        "layers.SpectralNormalization",
        "*SpectralNormalization-table*",
        "exchange",
        "the weights of an Embedding are divided by their largest singular value",
        "the vectors of the power iteration become integers, as the layer's inputs are",
        "Miyato et al., Spectral Normalization for GANs (2018), algorithm 1: vectors of unit length",
    ),
    FromKeras(
        "layers.Pipeline",
        "*Pipeline-dropout*",
        "exchange",
        "layers within follow the `training` of the call",
        "a graph keeps `training=True` for them, which a model of that graph then passes over",
        "dropout is off in `predict`, as in the layer that is called by itself",
    ),
    FromKeras(
        "layers.RandomCrop",
        "*RandomCrop*",
        "exchange",
        "outside training the middle of the images, of the size that was asked for",
        "outside training the images as they are, whatever the layer's documentation and its `compute_output_shape` say",
        "Keras documents that the layer crops the middle at inference",
    ),
    FromKeras(
        "layers.AutoContrast",
        "*AutoContrast-unit first*",
        "exchange",
        "the extremes of each channel, in either data format",
        "where channels are first, the extremes over channels and rows",
        "the same image in the other data format has the same result, with its axes moved",
    ),
)
"""Their cases are those of `tests/contract/layer_cases`; the exchange of files with Keras leaves these out."""
