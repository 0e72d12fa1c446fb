"""CUDA kernels for a GPU, started through CuPy, each named after the operation it computes.

Every kernel takes arrays in any memory order and gives C-contiguous ones; `launch` says why. What
is a single kernel of CuPy anyway, like a sum of two images, has none here: the specification runs.
"""
