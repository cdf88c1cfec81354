"""Where we differ from Keras 3 and stay so, each with the proof. Strict: an entry that covers nothing fails the run."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class FromKeras:
    """One difference that stays.

    Attributes:
        subjects: what is compared, as `ops.sparsemax` or `metrics.IoU`; several by spaces.
        case: a pattern (as for file names) of the cases of `tests/differential` (of layers, of `tests/recorded`) in which
            it shows; several by ` | `.
        kind: `value`, `dtype`, `shape`, `error` (we refuse what Keras takes), `symbolic` (on unknown sizes), `gradient`,
            `exchange` (a layer case of `tests/contract` that files do not carry over).
        ours: what we give.
        keras: what Keras 3.15 gives.
        proof: why ours stays: a formula, a source, numbers.
    """

    subjects: str
    case: str
    kind: str
    ours: str
    keras: str
    proof: str

    def covers(self, subject: str, case: str, kind: str) -> bool:
        """Return whether this entry speaks of one comparison."""
        return kind == self.kind and subject in self.subjects.split() and self.names(case)

    def names(self, case: str) -> bool:
        """Return whether the pattern fits the name of a case."""
        return any(fnmatchcase(case, pattern) for pattern in self.case.split(" | "))


INTEGERS = "* int32 | * int8 | * uint8 | * bool"
HALVES = "* float16 | * bfloat16"

OPS = (
    FromKeras(
        "ops.sparsemax",
        "*",
        "value",
        "sums to 1: [1, 1, 0] gives [0.5, 0.5, 0]",
        "[1, 1, 0] gives [0, 0, 0]: the threshold is the sum of all cumulative sums in the support, not the last of them",
        "Martins and Astudillo, From Softmax to Sparsemax (2016), algorithm 1: the projection onto the simplex",
    ),
    FromKeras(
        "ops.softmax ops.log_softmax ops.log_sigmoid ops.squareplus ops.batch_normalization ops.binary_crossentropy "
        "ops.categorical_crossentropy ops.sparse_categorical_crossentropy",
        "* uint8 | * int8",
        "value",
        "as for the same numbers in float32",
        "subtracts or negates in the integers' dtype, where numbers wrap around: softmax of uint8 is nan",
        "softmax([0, 1]) is [0.27, 0.73] in any dtype",
    ),
    FromKeras(
        "ops.layer_normalization ops.rms_normalization ops.dot_product_attention",
        INTEGERS,
        "value",
        "floats",
        "the result is cut to whole numbers",
        "rms_normalization([1, 3]) is [0.45, 1.34], not [0, 1]",
    ),
    FromKeras(
        "ops.layer_normalization ops.rms_normalization ops.dot_product_attention ops.hard_tanh ops.threshold",
        INTEGERS,
        "dtype",
        "the default float dtype, as of every other activation and normalization",
        "the dtype of the integers",
        "the result is no whole number; hard_tanh of a uint8 0 is 0 here and 255 there",
    ),
    FromKeras(
        "ops.hard_tanh",
        "* uint8",
        "value",
        "0 of 0",
        "255: the bound -1 is cast to uint8",
        "hard_tanh(x) = max(-1, min(1, x))",
    ),
    FromKeras(
        "ops.relu6",
        INTEGERS + " | relu6-edge-1x3*",
        "dtype",
        "the dtype of the integers, as of `relu`; int32 of bools",
        "float32 on JAX, the integers' on TensorFlow and PyTorch",
        "Keras's own inference (`KerasTensor`) says the integers' too",
    ),
    FromKeras(
        "ops.hard_shrink ops.soft_shrink",
        "*nan-1 * | *_shrink-edge-2x3 *",
        "value",
        "nan of nan",
        "0 on JAX, nan on PyTorch",
        "nan passes through every other activation",
    ),
    FromKeras(
        "ops.squareplus",
        "*hard-18 float32 | *hard-18 float16 | *hard-18 bfloat16 | squareplus-edge-2x3 *",
        "value",
        "1e-4 at x = -1e4",
        "0: x + sqrt(x^2 + b) cancels; nan at -inf",
        "(x + sqrt(x^2 + 4)) / 2 = 2 / (sqrt(x^2 + 4) - x) = 1e-4 at -1e4",
    ),
    FromKeras(
        "ops.exp2",
        "*hard-18 bfloat16",
        "value",
        "2^30 = 1073741824",
        "1027604480: log(2) is rounded to bfloat16 before it is multiplied",
        "2^30 is a bfloat16 number",
    ),
    FromKeras(
        "ops.binary_crossentropy ops.categorical_crossentropy",
        HALVES,
        "value",
        "finite: the bound 1e-7 is kept in float32",
        "inf, as 1 - 1e-7 is 1 in float16; 15.94 for -log(1e-7), which is 16.12",
        "Keras bounds probabilities so that no logarithm is infinite",
    ),
    FromKeras(
        "ops.normalize",
        "* float16",
        "value",
        "0 of zeros",
        "nan: epsilon squared is 0 in float16",
        "the documented `epsilon` is there to divide by",
    ),
    FromKeras(
        "ops.sparse_categorical_crossentropy",
        HALVES,
        "dtype",
        "that of the predictions",
        "float32 on JAX, that of the predictions on TensorFlow and PyTorch",
        "Keras's own inference says that of the predictions",
    ),
    FromKeras(
        "ops.var",
        "*''*",
        "dtype",
        "a real dtype for complex numbers",
        "complex64 with imaginary part 0",
        "the mean of squared sizes is real, as in NumPy",
    ),
    FromKeras(
        "ops.clip ops.max",
        "clip-keras-* uint8 | max-*-initial=-3.0 uint8",
        "error",
        "an error on NumPy: a bound of -1 or an initial value of -3 is no uint8",
        "255 and 253 in their place",
        "clip(1, -1, 1) is 1, and of 0 it is 0",
    ),
    FromKeras(
        "ops.power",
        "* int32 | * int8",
        "error",
        "an error on NumPy: integers have no negative powers",
        "1 or 0 by the exponent's bits",
        "2 to the power -1 is no integer",
    ),
    FromKeras(
        "ops.adaptive_average_pool ops.adaptive_max_pool",
        "*-edge-2x7x2-7 *",
        "value",
        "the input, where as many windows are asked for as there are places",
        "nan in the last place, which it reads behind the end",
        "each window is one place: its mean and its largest number are that number",
    ),
    FromKeras(
        "ops.floor_divide",
        "*-edge-3-3 * | *-edge-3-3' *",
        "value",
        "0 for an integer divided by 0 on NumPy, -1 on JAX, an error on TensorFlow and PyTorch",
        "-1 on JAX, an error on TensorFlow and PyTorch",
        "no integer is the quotient",
    ),
    FromKeras(
        "ops.image.affine_transform",
        "*-edge-1x4x5x3-1x8 *",
        "value",
        "a projective transform, where c0 or c1 is not 0",
        "c0 and c1 times the number of the channel are added to the place, so that channels are moved apart",
        "Keras documents division by k = c0 x + c1 y + 1 for all channels",
    ),
    FromKeras(
        "ops.istft",
        "istft-edge-*-None-False *",
        "value",
        "without a window too the signal of which `stft` gives the transform",
        "on JAX that signal times the window's length over the stride",
        "istft(stft(x)) is x; with a window of ones in the place of None Keras gives ours",
    ),
    FromKeras(
        "ops.saturate_cast",
        "saturate_cast-edge-4-float32 *",
        "value",
        "integers as floats",
        "-2147483648 for each: the bounds of float32 are cast to int32, where they wrap around",
        "0 is a float32 number",
    ),
    FromKeras(
        "ops.sparse_categorical_crossentropy",
        "*-edge-2-2x3-True' *",
        "value",
        "a finite loss where the logit of another class is -inf",
        "nan: 0 times -inf",
        "softmax([-inf, 0, 0]) is [0, 1/2, 1/2], and the loss of the second class log(2)",
    ),
    FromKeras(
        "ops.top_k",
        "top_k-edge-2x3-2 *",
        "value",
        "nan counts as the smallest number, on all backends",
        "as the largest on JAX and PyTorch; TensorFlow says nothing of it",
        "`in_top_k` of Keras takes no class whose score is nan for one of the first k",
    ),
    FromKeras(
        "ops.inv ops.solve",
        "* bool",
        "error",
        "an error: the matrix is singular",
        "inf or nan",
        "numpy.linalg raises LinAlgError",
    ),
    FromKeras(
        "ops.abs ops.angle ops.eig ops.real ops.imag ops.polar ops.var ops.multi_hot ops.select ops.lu_factor ops.histogram "
        "ops.adaptive_average_pool ops.adaptive_max_pool ops.categorical_crossentropy ops.corrcoef ops.kron ops.rot90 "
        "ops.rearrange ops.stft",
        "*as symbols | *of unknown sizes",
        "symbolic",
        "what the op gives for arrays",
        "other than what the same op of Keras gives for arrays: `rot90(x, 2)` of (2, 3) has shape (3, 2) by inference",
        "shapes and dtypes by inference must be those that the same op gives for arrays",
    ),
    FromKeras(
        "ops.cross ops.logdet ops.slogdet ops.separable_conv ops.tensordot",
        "*of unknown sizes",
        "symbolic",
        "an error where the unknown size is one that the op is about: of a vector's components, a matrix's rows",
        "a shape",
        "whether the op can be applied depends on that size",
    ),
)

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
)

TRAINING = (
    FromKeras(
        "models.Model",
        "a step that returns a loss of its own",
        "value",
        "the logs are what the step returns",
        "if their names are those of the model's metrics, the metrics' values, though the step updates none: a loss of 0",
        "a training whose loss is 0 in every epoch looks solved; the weights move all the same",
    ),
    FromKeras(
        "models.Model",
        "metrics of masked outputs",
        "value",
        "what a mask leaves out does not count in AUC, Precision, Recall, counts, IoU, F-scores, R2 and RMSE, as in every mean",
        "it counts: padding is a true negative, or one more class",
        "the metrics of a padded sequence are those of the sequence; Keras's means and losses do so",
    ),
    FromKeras(
        "models.Model",
        "a metric that is a function, labels (n,), predictions (n, 1)",
        "value",
        "the function gets both with one number of axes, as a loss does",
        "(n,) and (n, 1) are broadcast to (n, n): each label meets each prediction",
        "the same function as a loss gets both as (n, 1), in Keras too",
    ),
    FromKeras(
        "models.Model",
        "accuracy of outputs (n,)",
        "value",
        "`accuracy` of one number a sample is the share of samples on the right side of 0.5",
        "whether the largest of all samples is the same in labels and outputs: 0 or 1 a batch",
        "labels [0, 1, 1] and outputs [0.1, 0.8, 0.9] are right three times",
    ),
    FromKeras(
        "models.Model",
        "PearsonCorrelation of one number",
        "value",
        "0 where the variance is 0",
        "nan: 0 / 0",
        "divide_no_nan in the other metrics; one nan would make the metric nan for the epoch",
    ),
    FromKeras(
        "models.Model",
        "CosineSimilarity of labels (n, 1), predictions (n, k)",
        "value",
        "the cosine of the angle after broadcasting, from -1 to 1",
        "each side is normalized before it is broadcast: up to -sqrt(k)",
        "a cosine lies from -1 to 1",
    ),
    FromKeras(
        "models.Model",
        "a dict of weights, a list of losses",
        "value",
        "a weight belongs to the output that it names",
        "the weights by sorted names are paired with the losses by position",
        "`loss_weights` documents a dict from names of outputs to weights",
    ),
    FromKeras(
        "models.Model",
        "compiled again without metrics",
        "value",
        "what the last `compile` says counts alone",
        "a loss or metrics of an earlier `compile` stay where the last one names none",
        "`get_compile_config` of Keras says that there are none, and a saved and loaded model has none",
    ),
    FromKeras(
        "models.Model",
        "first batch of a PyDataset with workers",
        "value",
        "the first one",
        "the second one, where the model or its optimizer is built by `fit`: the batch for that is lost",
        "with one worker Keras trains on it too",
    ),
    FromKeras(
        "models.Model",
        "metrics_names",
        "value",
        "the names of the values that `evaluate` returns, in their order",
        "`compile_metrics` in place of all metrics of `compile`",
        "`dict(zip(model.metrics_names, model.evaluate(...)))` is what the property is for",
    ),
    FromKeras(
        "models.Model",
        "a metric without a name",
        "value",
        "the class in snake case",
        "with a number, that of the objects of the class that were made before in the process",
        "the names in logs of a model do not depend on what else was made; equal names in one model get numbers all the same",
    ),
)
"""Shown by `tests/differential/test_training.py`."""

FITTING = (
    FromKeras(
        "models.Model",
        "validation by a generator",
        "value",
        "each validation goes on where the last one ended",
        "each validation begins with the generator's first two batches, which were kept",
        "a generator cannot begin anew; the other batches of each validation are new ones there too",
    ),
    FromKeras(
        "models.Model",
        "nothing left of a generator",
        "error",
        "an error says that a generator cannot begin anew",
        "each further epoch trains on the first two batches again",
        "a program would train on two batches without an error; the weights and `model.history` are kept",
    ),
    FromKeras(
        "models.Model",
        "epochs that end with data of unknown length",
        "value",
        "the next epoch begins with the data, as where the length is known",
        "an epoch without a step comes between, which reports the loss of the one before; on PyTorch it reports 0",
        "the same batches with a `__len__` give other epochs there",
    ),
    FromKeras(
        "models.Model",
        "a generator's end",
        "value",
        "no warning, if `steps_per_epoch` did not ask for more",
        "a warning that the data ran out",
        "a generator ends where its data end, as a list does",
    ),
    FromKeras(
        "models.Model",
        "integers beyond 32 bits",
        "error",
        "an error names the numbers",
        "they are cut to 32 bits on JAX: 2 ** 32 + 1 is 1",
        "another index is another row of an Embedding",
    ),
    FromKeras(
        "models.Model",
        "nan in labels",
        "error",
        "an error names the rows; `config.set_check_data(False)` lets them pass, for a loss that knows them",
        "the weights become nan",
        "one missing label makes a whole run worthless",
    ),
    FromKeras(
        "config.set_max_steps_per_epoch",
        "batch size",
        "value",
        "the size of a batch stays",
        "without `batch_size`, the rows of all data are shared among so few batches",
        "the limit is for a quick look at a long run; its batches might need more memory than there is",
    ),
    FromKeras(
        "callbacks.SwapEMAWeights",
        "after a prediction",
        "value",
        "the model has its own weights again",
        "the averages stay in the model: the hook asks whether they are not there, and not whether they are",
        "Keras documents that the weights are swapped back",
    ),
    FromKeras(
        "callbacks.LambdaCallback",
        "a hook that does not exist",
        "error",
        "an error names the nearest hook; other arguments become attributes",
        "an attribute that nobody calls",
        "`on_epochs_end=` would be ignored in silence",
    ),
    FromKeras(
        "optimizers.SGD",
        "decay",
        "value",
        "`decay=` lets the rate fall by `1 / (1 + decay * iterations)`",
        "a warning that it is ignored",
        "files and programs of Keras 1 and 2 mean that by it",
    ),
)
"""Shown by `tests/differential/test_fitting.py`."""

MODELS = (
    FromKeras(
        "layers.Layer",
        "training= of one layer",
        "value",
        "`training=` is for the layer that is called, and the layers within it",
        "the layers that the model calls after it get it too",
        "Keras documents that layers inherit it from the layer around them; `dropout(x, training=True)` would put all "
        "later batch normalizations of an evaluation into training",
    ),
    FromKeras(
        "layers.RNN layers.LSTM layers.GRU layers.SimpleRNN",
        "mask with initial_state",
        "value",
        "a mask of the inputs counts, with an initial state too",
        "it is passed over where a call has a second tensor, such as an initial state",
        "Keras's guide on masking and padding: layers get the masks of their inputs; and its own layer does if it is "
        "called without a state",
    ),
    FromKeras(
        "layers.MultiHeadAttention",
        "masks of its inputs",
        "value",
        "the inputs keep their masks: `Add()([x, attention(x, x)])` has that of `x`, and the loss leaves masked places out",
        "a call takes the masks off its inputs, so that the sum has none",
        "what a layer does to its inputs would reach others that take them: the result depends on which is called first",
    ),
    FromKeras(
        "layers.MultiHeadAttention layers.Layer",
        "composed, trainable=False",
        "value",
        "`trainable=False` freezes the layers that a layer makes, within a model too",
        "their weights are trained, since only those that the layer makes itself are frozen",
        "Keras documents the argument as whether the layer's variables are trained; `layer.trainable = False` freezes all",
    ),
    FromKeras(
        "ops.multiply",
        "half * np.sqrt(2.0)",
        "dtype",
        "a float of NumPy's changes no dtype, as one of Python's: bfloat16 stays bfloat16",
        "float32 on JAX, float64 on TensorFlow, bfloat16 on PyTorch",
        "one result on all frameworks; a scalar must not bring a mixed model back to float32",
    ),
)
"""Their cases are those of `tests/differential/test_models.py`."""

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

FROM_KERAS: tuple[FromKeras, ...] = (
    *OPS,
    *LOSSES,
    *METRICS,
    *OPTIMIZERS,
    *LAYERS,
    *OBJECTS,
    *MODELS,
    *TRAINING,
    *FITTING,
    *EXCHANGED,
)


def of(subject: str) -> list[FromKeras]:
    """Return the entries about one subject."""
    return [entry for entry in FROM_KERAS if subject in entry.subjects.split()]
