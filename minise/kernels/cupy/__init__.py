"""CUDA kernels for a GPU, started through CuPy, each named as the operation that it computes.

Every kernel takes arrays in any memory order and gives C-contiguous ones; `launch` says why. What
is one kernel of CuPy anyway, as a sum of two images is, has none here: then the specification runs.
"""
