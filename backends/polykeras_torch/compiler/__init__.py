"""The compiler of this backend: it runs a function once, records it below autograd, and repeats a list of kernels."""
