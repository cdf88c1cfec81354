# %% [markdown]
# # A first network
#
# This course trains small networks on small data and looks at what happens. It has six parts: the data, layers,
# activations, losses, optimizers, and under- and overfitting. Each part ends with a picture. You need polykeras,
# scikit-learn and matplotlib. A framework is not needed: without one, NumPy does the work.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_circles, make_moons

import polykeras as keras
from polykeras import layers

print("backend:", keras.backend.backend())

# %% [markdown]
# ## 1. The data
#
# scikit-learn brings 1,797 images of handwritten digits. An image has 8 x 8 pixels, which we lay out as a row of 64
# numbers from 0 to 1. The labels are the digits, 0 to 9.
#
# The network learns from 1,437 images. The other 360 are kept aside: they tell whether it can read images that it has
# never seen.

# %%
pixels, labels = map(np.asarray, load_digits(return_X_y=True))
images = (pixels / 16.0).astype("float32")
order = np.random.default_rng(0).permutation(len(images))
x_train, y_train = images[order[:1437]], labels[order[:1437]]
x_test, y_test = images[order[1437:]], labels[order[1437:]]
print(x_train.shape, x_test.shape)

figure, places = plt.subplots(1, 10, figsize=(10, 1.4))
for axes, image, digit in zip(places, x_train, y_train, strict=False):
    axes.imshow(image.reshape(8, 8), cmap="gray_r")
    axes.set_title(digit)
    axes.set_axis_off()
plt.show()

# %% [markdown]
# ## 2. Layers
#
# A network is a stack of layers. A layer takes an array and returns another one. A `Dense` layer computes
# `activation(inputs @ kernel + bias)`. The kernel and the bias are its weights: numbers that training changes.
#
# This network turns 64 pixels into 32 numbers, and those into 10 scores, one for each digit.

# %%
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((64,)),
        layers.Dense(32, activation="relu", name="hidden"),
        layers.Dense(10, name="scores"),
    ]
)
model.summary()
kernel_before = np.array(model.get_layer("hidden").kernel)

# %% [markdown]
# `compile` says how the network is trained. Losses and optimizers have parts of their own below. `fit` then shows the
# network the training images again and again, 32 at a time. Showing all of them once is an *epoch*.

# %%
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.003),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
history = model.fit(x_train, y_train, epochs=10, validation_data=(x_test, y_test), verbose=0).history
accuracy = history["val_accuracy"][-1]
print(f"{accuracy:.1%} of the images that it has never seen are read correctly.")
assert accuracy > 0.93

# %% [markdown]
# The left picture shows the loss, which training makes small, and the middle one the share of images that are read
# correctly. The right one shows the kernel of the first layer as images, one for each of the 32 numbers that the layer
# returns. Where a weight is blue, it is positive: ink at that pixel makes the number larger. Where it is red, ink makes
# it smaller. Before training the kernel is faint noise. After it, the weights are larger, and in some images neighbours
# have the same colour: these answer to a stroke in that place.

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.4), width_ratios=(1, 1, 1.3))
for axes, name in ((left, "loss"), (middle, "accuracy")):
    axes.plot(range(1, 11), history[name], label="training")
    axes.plot(range(1, 11), history[f"val_{name}"], label="test")
    axes.set_xlabel("epoch")
    axes.set_title(name)
    axes.legend()


def tiles(kernel):
    """Return the columns of a kernel as images, 4 rows of 8."""
    padded = np.pad(kernel.T.reshape(4, 8, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    return padded.transpose(0, 2, 1, 3).reshape(40, 80)


kernel_after = np.array(model.get_layer("hidden").kernel)
both = np.concatenate([tiles(kernel_before), np.full((3, 80), np.nan), tiles(kernel_after)])
right.imshow(both, cmap="RdBu", vmin=-0.6, vmax=0.6)
right.set_title("the kernel: before (above), after (below)")
right.set_axis_off()
plt.show()

# %% [markdown]
# ## 3. Activations
#
# An activation is a function that is applied to each number that a layer returns. These three are the usual ones:

# %%
numbers = np.linspace(-4, 4, 201).astype("float32")
figure, places = plt.subplots(1, 3, figsize=(10, 2.6))
for axes, name in zip(places, ("sigmoid", "tanh", "relu"), strict=True):
    axes.plot(numbers, keras.ops.convert_to_numpy(keras.activations.get(name)(numbers)))
    axes.set_title(name)
    axes.grid(alpha=0.3)
plt.show()

# %% [markdown]
# Why are they needed? Without one, two layers in a row are no better than one: the product of two matrices is a matrix
# again. Such a network can draw straight lines only. The next data cannot be parted by a straight line: two half moons.
#
# The four networks below differ in their activation alone. Each colours the plane by its opinion: blue where it says
# *class 0*, red where it says *class 1*. (These colours have nothing to do with those of the kernel.)

# %%
moons, sides = make_moons(128, noise=0.1, random_state=0)
moons = np.asarray(moons, "float32")
ticks = np.linspace(-2.5, 3, 60)
plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2).astype("float32")


def draw_opinion(axes, network, points, labels, title):
    """Colour the plane by what a network says, and draw the points that it was trained on."""
    opinion = network.predict(plane, batch_size=len(plane), verbose=0).reshape(60, 60)
    axes.contourf(ticks, ticks, opinion, levels=11, cmap="RdBu_r", vmin=0, vmax=1, alpha=0.5)
    axes.scatter(*points.T, c=labels, cmap="RdBu_r", edgecolors="white", linewidths=0.8, s=26)
    (left, bottom), (right, top) = points.min(axis=0) - 0.5, points.max(axis=0) + 0.5
    axes.set(title=title, xlim=(left, right), ylim=(bottom, top), xticks=(), yticks=())


figure, places = plt.subplots(1, 4, figsize=(12, 3))
accuracies = {}
for axes, activation in zip(places, (None, "sigmoid", "tanh", "relu"), strict=True):
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(16, activation),
            layers.Dense(16, activation),
            layers.Dense(1, "sigmoid"),
        ]
    )
    network.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    accuracies[activation] = network.fit(moons, sides, epochs=50, verbose=0).history["accuracy"][-1]
    draw_opinion(axes, network, moons, sides, f"{activation}: {accuracies[activation]:.0%} correct")
plt.show()
assert accuracies[None] < 0.95 < accuracies["relu"]

# %% [markdown]
# Without an activation there is one line, whatever the number of layers. The sigmoid could bend it, but it learns
# slowly, as its slope is small: in 50 epochs it has not come further. `relu` is a good first choice between layers.
#
# ## 4. Losses
#
# The loss is one number that says how wrong the network is. Training makes it small, and nothing else: choose the loss
# that says what you mean.
#
# Say that an image shows a 3, and the network gives the 3 a probability. The *squared error* of that probability is at
# most 1, however wrong the network is. The *cross-entropy* is minus the logarithm of the probability: it grows without
# end when a network is sure and wrong.

# %%
probabilities = np.linspace(0.01, 1, 100).astype("float32")[:, None]
right_answer = np.ones((100, 1), "float32")
squared = keras.losses.mean_squared_error(right_answer, probabilities)
entropy = keras.losses.binary_crossentropy(right_answer, probabilities)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2))
left.plot(probabilities, keras.ops.convert_to_numpy(squared), label="squared error")
left.plot(probabilities, keras.ops.convert_to_numpy(entropy), label="cross-entropy")
left.set(xlabel="probability of the right answer", title="loss")
left.legend()

# The same network, trained by both.
one_hot = np.eye(10, dtype="float32")[y_train]
for label, loss in {"squared error": "mean_squared_error", "cross-entropy": "categorical_crossentropy"}.items():
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((64,)), layers.Dense(32, "relu"), layers.Dense(10, "softmax")])
    network.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    right.plot(range(1, 11), network.fit(x_train, one_hot, epochs=10, verbose=0).history["accuracy"], label=label)
right.set(xlabel="epoch", title="accuracy while training with each")
right.legend()
plt.show()

# %% [markdown]
# With the squared error the same network learns far more slowly: where it is wrong by much, the loss hardly changes
# with the weights. This table covers most tasks:
#
# | you predict | last layer | loss |
# |---|---|---|
# | a number | `Dense(1)` | `MeanSquaredError()` |
# | yes or no | `Dense(1)` | `BinaryCrossentropy(from_logits=True)` |
# | one of several classes | `Dense(classes)` | `SparseCategoricalCrossentropy(from_logits=True)` |
#
# `from_logits=True` says that the last layer returns scores. The loss makes probabilities of them itself, which is more
# exact.

# %% [markdown]
# ## 5. Optimizers
#
# The optimizer changes the weights after each batch, a little, in the direction in which the loss falls. *SGD* takes
# steps of the gradient times the learning rate. *Momentum* lets it gather speed. *RMSprop* and *Adam* choose the size
# of the step for each weight by itself.
#
# The learning rate often matters more than the choice of the optimizer: too small, and little happens; too large, and
# the steps lead nowhere. In the left picture both look the same: the curves of the rates 0.003 and 3 are flat, and lie
# on each other.

# %%
optimizers = {
    "SGD, rate 0.003": keras.optimizers.SGD(0.003),
    "SGD, rate 0.1": keras.optimizers.SGD(0.1),
    "SGD, rate 3": keras.optimizers.SGD(3.0),
    "SGD, rate 0.1, momentum 0.9": keras.optimizers.SGD(0.1, momentum=0.9),
    "RMSprop, rate 0.003": keras.optimizers.RMSprop(0.003),
    "Adam, rate 0.003": keras.optimizers.Adam(0.003),
}
curves = {}
for label, optimizer in optimizers.items():
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((64,)), layers.Dense(32, "relu"), layers.Dense(10)])
    network.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    curves[label] = network.fit(x_train, y_train, epochs=6, verbose=0).history["loss"]

colours = {label: f"C{number}" for number, label in enumerate(curves)}
figure, places = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True)
for axes, title, labels in zip(
    places,
    ("one optimizer, three rates", "four optimizers"),
    (list(curves)[:3], list(curves)[1:2] + list(curves)[3:]),
    strict=True,
):
    for label in labels:
        axes.plot(range(1, 7), curves[label], color=colours[label], label=label)
    axes.set(xlabel="epoch", title=title, yscale="log")
    axes.legend(fontsize=8)
places[0].set_ylabel("loss")
plt.show()
assert curves["SGD, rate 0.1, momentum 0.9"][-1] < curves["SGD, rate 0.1"][-1] < curves["SGD, rate 0.003"][-1]

# %% [markdown]
# ## 6. Under- and overfitting
#
# A network that is too small cannot learn the task: it *underfits*. One that is large beside the data learns them by
# heart, with all of their noise, and is wrong about new data: it *overfits*. Its training loss then goes on to fall
# while the loss of other data rises.
#
# The task: is a point on the inner circle or on the outer one? There is a lot of noise. Here are 60 points to learn
# from, and 500 others to test on. *Dropout* is one cure: while training, it sets half of the numbers between two layers
# to 0, others each time. The network cannot rely on any single one.

# %%
few, few_sides = make_circles(60, noise=0.25, factor=0.4, random_state=1)
many, many_sides = make_circles(500, noise=0.25, factor=0.4, random_state=2)
few, many = np.asarray(few, "float32"), np.asarray(many, "float32")

networks = {
    "too small: 1 unit": [layers.Dense(1, "tanh")],
    "too large: 2 x 128 units": [layers.Dense(128, "relu"), layers.Dense(128, "relu")],
    "the same, with dropout": [
        layers.Dense(128, "relu"),
        layers.Dropout(0.5),
        layers.Dense(128, "relu"),
        layers.Dropout(0.5),
    ],
}
figure, places = plt.subplots(2, 3, figsize=(11, 6))
last = {}
for (above, below), (title, hidden) in zip(places.T, networks.items(), strict=True):
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1, "sigmoid")])
    network.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    log = network.fit(
        few, few_sides, epochs=100, validation_data=(many, many_sides), validation_batch_size=500, verbose=0
    )
    draw_opinion(above, network, few, few_sides, title)
    below.plot(range(1, 101), log.history["loss"], label="training")
    below.plot(range(1, 101), log.history["val_loss"], label="test")
    below.set(xlabel="epoch", ylabel="loss", ylim=(0, 1.5))
    below.legend()
    last[title] = (log.history["loss"][-1], log.history["val_loss"][-1])
figure.tight_layout()
plt.show()
assert last["the same, with dropout"][1] < last["too large: 2 x 128 units"][1] < last["too small: 1 unit"][1]
for title, (training, test) in last.items():
    print(f"{title:>28}: training {training:.2f}, test {test:.2f}")

# %% [markdown]
# The network that is too small is as wrong on the points that it learned from as on new ones: it can draw one line. The
# large one is nearly perfect on the first. Its loss on new ones fell at the beginning, and has risen since. With
# dropout it is a little less sure, and better where it counts.
#
# Two more cures: more data, and `keras.callbacks.EarlyStopping`, which ends training when the test loss rises.
#
# ## Where to go next
#
# - *One experiment, four frameworks* (`four_frameworks.py`, beside this notebook): one network on JAX, PyTorch,
#   TensorFlow and NumPy.
# - The how-to guides of the documentation: a training step of your own, resuming after a crash, and more.
# - `examples/`: convolutions, recurrent networks, models with several inputs.
