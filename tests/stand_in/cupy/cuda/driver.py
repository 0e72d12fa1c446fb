"""The driver's errors, which launches and modules raise."""

_ERRORS = {
    1: "CUDA_ERROR_INVALID_VALUE: invalid argument",
    500: "CUDA_ERROR_NOT_FOUND: named symbol not found",
}


class CUDADriverError(RuntimeError):
    """An error of the driver, by its number; `why` says what a real driver keeps to itself."""

    def __init__(self, status: int, why: str = "") -> None:
        self.status = status
        self.why = why
        super().__init__(_ERRORS[status] + (f" ({why})" if why else ""))

    def __reduce__(self) -> tuple:
        return type(self), (self.status, self.why)
