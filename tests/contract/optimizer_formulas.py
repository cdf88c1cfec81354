"""Each optimizer as its paper states it, for one array in float64: the tests' reference, apart from the library."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

Gradients = Iterable[np.ndarray]


def sgd(w: np.ndarray, gradients: Gradients, lr: float = 0.01, momentum: float = 0.0, nesterov: bool = False):
    velocity = np.zeros_like(w)
    for g in gradients:
        velocity = momentum * velocity - lr * g
        w = w + (momentum * velocity - lr * g if nesterov else velocity)
    return w


def rmsprop(w, gradients, lr=0.001, rho=0.9, momentum=0.0, eps=1e-7, centered=False):
    square, mean, velocity = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for g in gradients:
        square = rho * square + (1 - rho) * g**2
        mean = rho * mean + (1 - rho) * g
        variance = square - mean**2 if centered else square
        velocity = momentum * velocity + lr * g / np.sqrt(variance + eps)
        w = w - velocity
    return w


def adam(w, gradients, lr=0.001, b1=0.9, b2=0.999, eps=1e-7, amsgrad=False, decay=0.0):
    m, v, highest = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        w = w - lr * decay * w
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        highest = np.maximum(highest, v)
        size = np.sqrt(highest if amsgrad else v)
        w = w - lr * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (size + eps)
    return w


def adamax(w, gradients, lr=0.001, b1=0.9, b2=0.999, eps=1e-7):
    m, u = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, np.abs(g))
        w = w - lr / (1 - b1**t) * m / (u + eps)
    return w


def nadam(w, gradients, lr=0.001, b1=0.9, b2=0.999, eps=1e-7):
    m, v, product = np.zeros_like(w), np.zeros_like(w), 1.0
    for t, g in enumerate(gradients, 1):
        now, following = (b1 * (1 - 0.5 * 0.96**s) for s in (t, t + 1))
        product *= now
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = following * m / (1 - product * following) + (1 - now) * g / (1 - product)
        w = w - lr * m_hat / (np.sqrt(v / (1 - b2**t)) + eps)
    return w


def adagrad(w, gradients, lr=0.001, initial=0.1, eps=1e-7):
    total = np.full_like(w, initial)
    for g in gradients:
        total = total + g**2
        w = w - lr * g / np.sqrt(total + eps)
    return w


def adadelta(w, gradients, lr=0.001, rho=0.95, eps=1e-7):
    squares, steps = np.zeros_like(w), np.zeros_like(w)
    for g in gradients:
        squares = rho * squares + (1 - rho) * g**2
        step = np.sqrt(steps + eps) / np.sqrt(squares + eps) * g
        steps = rho * steps + (1 - rho) * step**2
        w = w - lr * step
    return w


def lion(w, gradients, lr=0.001, b1=0.9, b2=0.99):
    m = np.zeros_like(w)
    for g in gradients:
        w = w - lr * np.sign(b1 * m + (1 - b1) * g)
        m = b2 * m + (1 - b2) * g
    return w


def ftrl(w, gradients, lr=0.001, power=-0.5, initial=0.1, l1=0.0, l2=0.0, shrinkage=0.0, beta=0.0):
    n, z = np.full_like(w, initial), np.zeros_like(w)
    for g in gradients:
        sigma = ((n + g**2) ** -power - n**-power) / lr
        z = z + g + 2 * shrinkage * w - sigma * w
        n = n + g**2
        w = np.where(np.abs(z) <= l1, 0.0, -(z - np.sign(z) * l1) / ((beta + n**-power) / lr + 2 * l2))
    return w


def adafactor(w, gradients, lr=0.001, decay=-0.8, eps1=1e-30, eps2=1e-3, clip=1.0):
    r = c = v = 0.0
    for t, g in enumerate(gradients, 1):
        b = 1 - t**decay
        rate = max(eps2, np.sqrt(np.mean(w**2))) * min(lr, 1 / np.sqrt(t))
        if w.ndim > 1:
            r = b * r + (1 - b) * (g**2 + eps1).mean(-1)
            c = b * c + (1 - b) * (g**2 + eps1).mean(-2)
            v = np.outer(r, c) / r.mean()
        else:
            v = b * v + (1 - b) * (g**2 + eps1)
        u = g / np.sqrt(v)
        w = w - rate * u / max(1, np.sqrt(np.mean(u**2)) / clip)
    return w


def lamb(w, gradients, lr=0.001, b1=0.9, b2=0.999, eps=1e-7):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        u = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        w = w - lr * np.linalg.norm(w) / np.linalg.norm(u) * u
    return w


def schedule_free(w, gradients, lr=0.0025, b1=0.9, b2=0.999, eps=1e-8):
    x, z, v = w, w, np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        v = b2 * v + (1 - b2) * g**2
        z = z - lr * g / (np.sqrt(v / (1 - b2**t)) + eps)
        x = x + (z - x) / t
        w = (1 - b1) * z + b1 * x
    return w


def muon(w, gradients, lr=0.001, momentum=0.95, rate=0.2, decay=0.004):
    if w.ndim != 2:
        return adam(w, gradients, lr, decay=decay)
    m = np.zeros_like(w)
    for g in gradients:
        w = w - lr * decay * w
        m = momentum * m + g
        u, s, vt = np.linalg.svd(g + momentum * m, full_matrices=False)
        s = s / np.linalg.norm(s)
        for _ in range(5):  # the iteration leaves the singular vectors as they are
            s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
        w = w - lr * rate * np.sqrt(max(w.shape)) * (u * s) @ vt
    return w
