#!/usr/bin/env bash
# joblib 1.6.0: whether a task that changes its argument in place is seen by the next one depends on
# the backend, on the size of the argument and on how fast the tasks are. With loky each task gets a
# copy of its own, unless tasks take less than some 0.2 s: then several are sent as one batch, whose
# tasks share one copy. With Dask (distributed 2026.8.0) an array of more than 1,000 bytes is sent to
# each worker once and kept there, so that each training goes on from where the last one of the same
# worker ended, however long it takes and with batch_size=1 too. So a sweep that hands the same
# initial weights to all its points is right on one machine and wrong on a cluster, without a word.
#
#   w of zeros; each of 8 tasks does w += 1 and returns w[0]; right: 1 each     seen
#   loky, slow or batch_size=1, 10 or 1,000 numbers                     1 1 1 1 1 1 1 1
#   loky, 200 fast tasks                                                up to 32, for example
#   Dask, two workers, batch_size=1, 10 numbers                         1 1 1 1 1 1 1 1
#   Dask, two workers, batch_size=1, 1,000 numbers                      1 2 2 3 3 4 4 5, for example
#   loky, 200,000 numbers (1.6 MB)                                      ValueError: read-only
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  distributed==2026.8.0 dask==2026.8.0 joblib==1.6.0 numpy==2.4.6
cd "$folder"
cat > place.py <<'END'
import numpy as np
from distributed import Client, LocalCluster
from joblib import Parallel, delayed, parallel_config


def train(w):
    w += 1
    return float(w[0])


def swept(numbers, tasks=8, **options):
    w = np.zeros(numbers)
    results = Parallel(**options)(delayed(train)(w) for _ in range(tasks))
    assert not w.any()
    print(numbers, options, sorted(results)[-8:])
    return sorted(results)


if __name__ == "__main__":
    for numbers in (10, 1_000):
        assert swept(numbers, n_jobs=2, batch_size=1) == [1] * 8
    assert swept(1_000, tasks=200, n_jobs=2)[-1] > 1
    try:
        swept(200_000, n_jobs=2, batch_size=1)
    except ValueError as error:
        print("200,000:", error)
        assert "read-only" in str(error)
    else:
        raise AssertionError("a large array can be written to")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        parallel_config(backend="dask"),
    ):
        assert swept(10, batch_size=1) == [1] * 8
        results = swept(1_000, batch_size=1)
        assert results.count(1) <= 2 and results[-1] > 2
END
venv/bin/python place.py
