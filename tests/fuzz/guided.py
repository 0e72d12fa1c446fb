"""Fuzzing that is guided by coverage, by hand, where the package atheris is installed:

python tests/fuzz/guided.py idx -runs=100000
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))
with atheris.instrument_imports(include=["minise", "numpy.lib"]):
    from fuzz.targets import FOLDER, seeds

if __name__ == "__main__":
    name = sys.argv.pop(1)
    target, wholes = seeds()[name]
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    for number, whole in enumerate(wholes):
        (corpus / str(number)).write_bytes(whole)
    atheris.Setup(
        [*sys.argv, str(corpus), "-max_len=100000"], lambda content: target(content) and None
    )
    atheris.Fuzz()
