"""The error of a kernel that does not compile."""


class CompileException(Exception):  # noqa: N818
    """The compiler's own words, and the source."""

    def __init__(self, msg: str, source: str, name: str, options: tuple, backend: str) -> None:
        super().__init__(msg)
        self._msg, self.source, self.name = msg, source, name
        self.options, self.backend = options, backend

    def get_message(self) -> str:
        return self._msg
