#!/usr/bin/env bash
# NumPy 2.4.6 fills a seed that is a list up with zeros, to four words of 32 bits: default_rng([5, 0])
# draws what default_rng(5) draws. So streams named by lists, [seed, run] or [seed, purpose], repeat
# the plain seed's for run 0, all runs of a longer name that ends in zeros are one, and with the
# order of NumPy's guide, [worker, seed], seed 0 gives worker 3 the stream of seed 3. A number of 33
# bits is a list of two. And the first child of a seed is the list with its place behind four words:
# SeedSequence(5).spawn(2) are [5, 0, 0, 0, 0] and [5, 0, 0, 0, 1]. Children differ from their parent.
#
#   seed                                                   seen
#   5, [5], [5, 0], [5, 0, 0], [5, 0, 0, 0]                all alike
#   [3, 0], worker 3 of seed 0                             as 3
#   2**32 + 5                                              as [5, 1]
#   [5, 0, 0, 0, 0]                                        another one, the first child of 5
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install numpy==2.4.6
cd "$folder"
cat > seeds.py <<'END'
from numpy.random import SeedSequence, default_rng


def drawn(seed):
    return default_rng(seed).integers(2**32, size=4).tolist()


for seed in (5, [5, 0], [3, 0], 2**32 + 5, [5, 0, 0, 0, 0]):
    print(seed, drawn(seed))
assert drawn(5) == drawn([5]) == drawn([5, 0]) == drawn([5, 0, 0]) == drawn([5, 0, 0, 0])
assert drawn([0, 5]) != drawn(5) != drawn([5, 1])
assert drawn([3, 0]) == drawn(3)
assert drawn(2**32 + 5) == drawn([5, 1])
first, second = SeedSequence(5).spawn(2)
assert drawn(first) == drawn([5, 0, 0, 0, 0]) != drawn(5)
assert drawn(second) == drawn([5, 0, 0, 0, 1])
END
venv/bin/python seeds.py
