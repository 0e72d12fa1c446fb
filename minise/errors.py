"""minise's one exception: something that a person gave it cannot be used."""


class InputError(ValueError):
    """A file, a folder, a name or a setting that cannot be used.

    The message names the thing, what was given and what was expected, on one line; the command line
    prints it as is. Wrong shapes and dtypes in Python code raise plain ValueError and TypeError.
    """
