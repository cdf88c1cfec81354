# %% [markdown]
# # One experiment, four frameworks
#
# polykeras runs one model on JAX, PyTorch, TensorFlow or NumPy. From the same seed, each of them runs the same
# experiment: the same initial weights, the same order of the samples, the same dropout, and so the same curve. This
# notebook shows it, and then lets a model change frameworks while it trains.
#
# It uses the frameworks that are installed. With NumPy alone it runs too, and shows one curve.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import polykeras as keras
from polykeras import layers

frameworks = [backend.name for backend in keras.backends() if backend.installed]
print("installed:", ", ".join(frameworks))

# %% [markdown]
# ## 1. The experiment
#
# The data are 569 tumours, each with 30 measurements; the task is to tell malignant ones from benign ones. The model
# has what makes runs hard to repeat: random initial weights, dropout, batch normalization, and an optimizer with a
# state.

# %%
measured, y = map(np.asarray, load_breast_cancer(return_X_y=True))
x = ((measured - measured.mean(axis=0)) / measured.std(axis=0)).astype("float32")


def make_model():
    """Return the model, from the same seed each time."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(16, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    return model


# %% [markdown]
# ## 2. The same seed on each framework
#
# `keras.use_backend` chooses the framework for a block of code. Everything else stays as it is.

# %%
EPOCHS = 12
losses = {}
for name in frameworks:
    with keras.use_backend(name):
        losses[name] = np.array(make_model().fit(x, y, epochs=EPOCHS, verbose=0).history["loss"])

first = frameworks[0]
print(f"{'':>12}  loss of the last epoch")
for name, values in losses.items():
    print(f"{name:>12}  {values[-1]:.7f}")

# %% [markdown]
# The left picture has a curve for each framework. They lie on top of each other: each is drawn thinner than the one
# below it, or you would see one only. The right picture shows by how much they differ, as a share of the loss. Points
# on the lower edge are no difference at all. Frameworks add numbers in different orders, which changes the last digits
# of a sum. Float32 keeps about seven digits, so 1e-7 is a difference in the last one.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6))
epochs = np.arange(1, EPOCHS + 1)
for i, (name, values) in enumerate(losses.items()):
    left.plot(epochs, values, linewidth=10 - 2.8 * i, label=name)
    if name != first:
        apart = np.maximum(np.abs(values / losses[first] - 1), 1e-9)  # a logarithmic axis has no 0
        beside = epochs + 0.2 * (i - 2)  # points of one epoch would hide each other
        right.plot(beside, apart, "o", color=f"C{i}", label=f"{name} and {first}", clip_on=False)
left.set(xlabel="epoch", ylabel="loss", title="the loss on each framework")
left.legend()
right.set(xlabel="epoch", yscale="log", ylim=(1e-9, 1), title="the difference, as a share of the loss")
if len(losses) > 1:
    right.legend()
plt.show()

worst = max(float(np.max(np.abs(values / losses[first] - 1))) for values in losses.values())
print(f"The curves differ by at most {worst:.0e} of the loss.")
assert worst < 1e-3

# %% [markdown]
# ## 3. Where the sameness comes from
#
# Initial weights and the order of the samples are drawn on the host, for all frameworks alike. Random numbers within
# the model, as those of dropout, are computed from a seed by integer arithmetic, which every framework does in the
# same way:

# %%
for name in frameworks:
    with keras.use_backend(name):
        print(f"{name:>12}", keras.ops.convert_to_numpy(keras.random.uniform((4,), seed=7)))

# %% [markdown]
# ## 4. A hop in mid-training
#
# A model does not belong to a framework. Its weights, the state of its optimizer and its random numbers move along when
# it is used under another one. So it can train on each framework in turn. The grey line is a model that stayed on the
# first one.

# %%
stayed = losses[first]
tour = [frameworks[epoch * len(frameworks) // EPOCHS] for epoch in range(EPOCHS)]
model = make_model()
hopped = []
for epoch, name in enumerate(tour):
    with keras.use_backend(name):
        hopped += model.fit(x, y, initial_epoch=epoch, epochs=epoch + 1, verbose=0).history["loss"]

figure, axes = plt.subplots(figsize=(7, 3.6))
axes.plot(epochs, stayed, color="grey", linewidth=6, alpha=0.4, label=f"all epochs on {first}")
for name in frameworks:
    there = [i for i, other in enumerate(tour) if other == name]
    axes.plot(epochs[there], np.array(hopped)[there], "o-", label=f"on {name}")
axes.set(xlabel="epoch", ylabel="loss", title="one model, on each framework in turn")
axes.legend()
plt.show()

worst = float(np.max(np.abs(np.array(hopped) / stayed - 1)))
print(f"The model that hopped and the one that stayed differ by at most {worst:.0e} of the loss.")
assert worst < 1e-3

# %% [markdown]
# ## What it is good for
#
# - Train where it is fast, and serve where your product runs.
# - Find a bug by asking a second framework: a result that two of them agree on is none of a framework.
# - Debug on NumPy, where nothing is compiled and each step can be looked at.
#
# On the command line, `polykeras parity` compares the frameworks on a model of your own.
