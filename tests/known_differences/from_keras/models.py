"""What whole models do otherwise than in Keras."""

from __future__ import annotations

from known_differences.from_keras.entry import FromKeras

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
"""Their cases are those of `tests/differential/shown/models.py`."""

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
        "a metric or loss without a name",
        "value",
        "the class in snake case",
        "with a number, that of the objects of the class that were made before in the process",
        "the names in logs of a model do not depend on what else was made; equal names in one model get numbers all the same",
    ),
)
"""Shown by `tests/differential/shown/training.py`."""

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
"""Shown by `tests/differential/shown/fitting.py`."""
