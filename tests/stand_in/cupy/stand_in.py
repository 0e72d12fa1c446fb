"""What tests read and set: how often the code under test waited, launched and copied.

Only the stand-in has this module; a program that finds `cupy.stand_in` does not run on a GPU.
"""

synchronisations = 0  # the processor waited for the GPU: float(x), x.get(), stream.synchronize(), …
launches = 0  # kernels and graphs that were launched or recorded; not CuPy's own functions
copies_to_gpu = 0  # arrays and numbers that were copied from the processor's memory

check_races = True  # run each kernel once more with its threads in the opposite order


class StandInError(RuntimeError):
    """What CuPy leaves undefined and a GPU would get wrong in silence."""


def reset() -> None:
    """Set all counters to zero."""
    global synchronisations, launches, copies_to_gpu
    synchronisations = launches = copies_to_gpu = 0
