"""Losses, metrics, optimizers and other objects that differ from those of Keras."""

from __future__ import annotations

from known_differences.from_keras.entry import HALVES, FromKeras

LOSSES = (
    FromKeras(
        "losses.CategoricalCrossentropy",
        "cce-axis *",
        "value",
        "labels are smoothed by the number of classes, the size of `axis`",
        "by the size of the last axis, whatever `axis` is",
        "along axis 0 smoothed labels must sum to 1, as for CategoricalFocalCrossentropy",
    ),
    FromKeras(
        "losses.BinaryFocalCrossentropy",
        "focal not finite",
        "value",
        "finite for an infinite prediction, which is taken for the probability 1",
        "nan: the cross-entropy is of the probability 1, the factor before it of the infinite one",
        "Keras's BinaryCrossentropy of the same prediction is finite",
    ),
    FromKeras(
        "losses.BinaryFocalCrossentropy",
        "focal-balanced not finite",
        "value",
        "inf for an infinite logit on the wrong side",
        "at most -log(1e-7): the sigmoid of the logit is bounded before the logarithm is taken",
        "Keras's BinaryCrossentropy of the same logit is inf",
    ),
    FromKeras(
        "losses.Dice",
        "dice: *",
        "error",
        "without an axis there is one loss for all samples; a weight for each sample is an error that says so",
        "the loss times the mean of all weights, or a copy of it for each weight",
        "the Dice coefficient of all samples together has no part for each of them that could be weighed",
    ),
    FromKeras(
        "losses.MeanSquaredError losses.MeanAbsoluteError losses.MeanAbsolutePercentageError "
        "losses.MeanSquaredLogarithmicError losses.Huber losses.LogCosh losses.Poisson losses.KLDivergence "
        "losses.CosineSimilarity losses.Hinge losses.SquaredHinge losses.BinaryCrossentropy losses.BinaryFocalCrossentropy",
        "*: (4,) *",
        "error",
        "labels and predictions (n,) are one sample of n numbers; a weight for each number is an error that says so",
        "the mean of all errors times the mean of all weights, whichever error a weight belongs to",
        "errors [1, 0] and weights [1, 0] give 0.25 there, and so do weights [0, 1]",
    ),
    FromKeras(
        "losses.MeanSquaredError losses.Loss",
        "*mean_with_sample_weight*",
        "value",
        "the weights that broadcast to several values count for each of them",
        "the sum of the weighted values over the sum of the weights as given: a weight 2 for all of n values gives n times "
        "the mean",
        "the mean of equal values must be that value, whatever the weights",
    ),
    FromKeras(
        "losses.Loss",
        "values n, weight nxtx1*",
        "error",
        "an error: the weights have more axes than the losses",
        "each loss meets each weight of every sample",
        "the first axis of both counts samples",
    ),
    FromKeras(
        "losses.CategoricalFocalCrossentropy losses.categorical_focal_crossentropy",
        "cfce smooth*",
        "value",
        "labels are smoothed by the number of classes, the size of `axis`",
        "by the size of the last axis, whatever `axis` is",
        "of (4 classes, 3 samples) along axis 0 smoothed labels must sum to 1: 0.9 + 4 * 0.1 / 4, not 0.9 + 4 * 0.1 / 3",
    ),
    FromKeras(
        "losses.poisson losses.kl_divergence losses.hinge losses.squared_hinge",
        "*labels without last axis* | *labels with an axis more*",
        "value",
        "labels (n,) and predictions (n, 1) are matched, as by every other loss",
        "broadcast to (n, n): each label meets each prediction",
        "Keras's own classes of the same names match them",
    ),
    FromKeras(
        "losses.cosine_similarity",
        "cosine: (4, 1) int labels, half | cosine axis: (2, 3, 4) int labels, half",
        "value",
        "0 of zeros",
        "nan: 1e-12 is 0 in float16",
        "Keras documents 0 as the value for zeros",
    ),
    FromKeras(
        "losses.mean_absolute_percentage_error losses.huber losses.log_cosh losses.poisson",
        "* int32",
        "value",
        "integers as predictions are taken for floats",
        "the loss is computed in integers, where epsilon and half of a square are 0",
        "Keras's own classes of the same names, which cast to floats first",
    ),
    FromKeras(
        "losses.sparse_categorical_crossentropy",
        HALVES + " | *half",
        "dtype",
        "that of the predictions",
        "float32 on JAX, that of the predictions on TensorFlow and PyTorch",
        "as for the op",
    ),
)

METRICS = (
    FromKeras(
        "metrics.SparseCategoricalCrossentropy",
        "scce-ignore | scce-ignore of one",
        "value",
        "samples of `ignore_class` do not count",
        "they count as samples of loss 0 where no weights are given",
        "with the weight 1 for each sample Keras itself leaves them out",
    ),
    FromKeras(
        "metrics.Mean metrics.Accuracy metrics.BinaryAccuracy metrics.CategoricalAccuracy metrics.SparseCategoricalAccuracy "
        "metrics.TopKCategoricalAccuracy metrics.SparseTopKCategoricalAccuracy metrics.MeanSquaredError "
        "metrics.RootMeanSquaredError metrics.MeanAbsoluteError metrics.MeanAbsolutePercentageError "
        "metrics.MeanSquaredLogarithmicError metrics.LogCoshError metrics.CosineSimilarity metrics.PearsonCorrelation "
        "metrics.ConcordanceCorrelation metrics.KLDivergence metrics.Poisson metrics.BinaryCrossentropy "
        "metrics.CategoricalCrossentropy metrics.SparseCategoricalCrossentropy metrics.Hinge metrics.SquaredHinge "
        "metrics.CategoricalHinge",
        "*weights scalar | *some batches weighted",
        "value",
        "a scalar weight is that of each sample",
        "a batch with a scalar weight counts as one sample, whatever its size",
        "values [0, 0, 0] and [4], both of weight 2, have the mean 1, not 2; Keras documents that weights broadcast",
    ),
    FromKeras(
        "metrics.IoU metrics.MeanIoU metrics.BinaryIoU metrics.OneHotIoU metrics.OneHotMeanIoU",
        "*weights n | *weights nx1 | *weights each",
        "value",
        "weights need not be whole numbers",
        "weights are cut to whole numbers: 0.9 is 0",
        "the weighted counts of sklearn.metrics.confusion_matrix(sample_weight=...)",
    ),
    FromKeras(
        "metrics.R2Score",
        "*",
        "value",
        "0 where no sample counts (after a reset, or all of weight 0), as of every other metric",
        "nan: 0 / 0",
        "divide_no_nan in all other metrics of Keras",
    ),
)

OPTIMIZERS = (
    FromKeras(
        "optimizers.SGD optimizers.Adam",
        "constrained",
        "value",
        "averages are of the weights that satisfy the constraints",
        "of the weights before they are brought to satisfy them: NonNeg weights end at -0.004",
        "Keras documents averages of the weights as they are after each batch, and constraints that hold after each update",
    ),
    FromKeras(
        "optimizers.Adam optimizers.AdamW optimizers.Nadam optimizers.Lamb optimizers.Muon optimizers.ScheduleFreeAdamW",
        "half",
        "value",
        "the powers of the betas are in float32: the first step of Adam is the learning rate long",
        "in bfloat16, where 0.999 is 1: Adam's first step is 0 long, Nadam's weights are nan",
        "Kingma and Ba, Adam (2015), section 2.1: the size of the first step is the learning rate",
    ),
    FromKeras(
        "optimizers.Nadam",
        "half",
        "dtype",
        "the product of momenta, a scalar, is float32",
        "of the dtype of the first weight",
        "as above",
    ),
)

OBJECTS = (
    FromKeras(
        "graph.KerasTensor",
        "tensor == number",
        "value",
        "elementwise, as `!=` and as on arrays",
        "False: whether they are one object, while `!=` is elementwise",
        "`ops.where(x == 0, a, b)` in a graph is `b` throughout there, and another result than the same line on arrays",
    ),
    FromKeras(
        "distillation.LogitsDistillation",
        "loss by name",
        "value",
        "the divergence of the softmax of logits, as with `losses.KLDivergence()`",
        "the divergence of logits as they are, with negative ones cut to 0: the name gives a function there, and the "
        "softmax is taken for the class alone",
        "Keras documents the softmax; Hinton et al., Distilling the Knowledge in a Neural Network (2015), section 2",
    ),
    FromKeras(
        "distillation.Distiller",
        "weights of samples",
        "value",
        "they count in the student's loss, and so does what its layers add",
        "they are left out",
        "`fit` documents what `sample_weight`, `class_weight` and penalties of layers do, for any model",
    ),
    FromKeras(
        "layers.Dense layers.EinsumDense layers.Embedding layers.ReversibleEmbedding",
        "a policy and a description that differ",
        "error",
        "a `quantization_config` that says another mode or other groups than the dtype policy is an error",
        "the groups of the description, under the name of the policy",
        "the name of a policy says how the weights are stored; `int4/8` names other groups than there are",
    ),
    FromKeras(
        "utils.clear_session",
        "policy after clear_session",
        "value",
        "the policy of dtypes stays, as `floatx` does",
        "it is float32 again, in silence",
        "`clear_session` is documented for names and the memory of graphs; a loop of trials loses its mixed precision there",
    ),
    FromKeras(
        "layers.Layer",
        "weights of a replaced layer",
        "value",
        "a layer whose attribute holds another layer by now does not count",
        "it counts until the end: its weights are trained and saved, though no call uses them",
        "what `weights` documents is the layer's state",
    ),
    FromKeras(
        "layers.PReLU",
        "shared_axes=[-1]",
        "value",
        "the last axis shares its slopes",
        "the axis before the last one does: such weights do not fit into files of the other",
        "what a negative axis means in NumPy, and in Keras's other layers",
    ),
    FromKeras(
        "models.Model",
        "a list of one output, in a graph",
        "value",
        "a call on a symbolic tensor gives a tensor, as one on arrays does, and as in Keras 2",
        "it gives a list of one, which layers refuse; one on arrays gives an array",
        "a model is a layer: its result goes into the next one",
    ),
    FromKeras(
        "layers.Layer",
        "order of parts that change places",
        "value",
        "weights stand in the order of the attributes and lists that hold the parts now",
        "in the order in which the layer got each part first, whatever became of it",
        "what a layer holds says which order its weights have; a reversed list is rarely meant to keep the old one",
    ),
)
