#!/usr/bin/env bash
# distributed 2026.8.0 starts its workers with OMP_, MKL_ and OPENBLAS_NUM_THREADS of 1, and not
# NUMBA_NUM_THREADS: in each of n workers of one thread a parallel Numba function takes all cores, n
# times as many threads as there are cores (dask/distributed issue 9075). joblib with loky sets it;
# joblib with its backend "dask" does not. And the environment variable that should configure it for
# workers that others start has no effect: Dask reads the last part of its name in small letters, so
# that workers get numba_num_threads. In Python, or a configuration file, the name stays as it is.
#
#   threads of Numba in a worker of one thread                               seen
#   Dask as it comes, and joblib with its backend "dask"                     all cores
#   DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON__NUMBA_NUM_THREADS=1          all cores
#   dask.config.set({"distributed.nanny.pre-spawn-environ.NUMBA_NUM_…": 1})  1
#   joblib with loky, as many processes as cores                             1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  distributed==2026.8.0 dask==2026.8.0 joblib==1.6.0 numba==0.68.1 numpy==2.4.6
cd "$folder"
cat > threads.py <<'END'
import os
import sys

import dask
import joblib
import numba
from distributed import Client, LocalCluster

cores = numba.config.NUMBA_DEFAULT_NUM_THREADS
PLACE = "distributed.nanny.pre-spawn-environ"


def seen():
    import os

    import numba

    lines = [name for name in os.environ if name.lower() == "numba_num_threads"]
    return numba.config.NUMBA_NUM_THREADS, os.environ["OMP_NUM_THREADS"], lines


def of_a_worker():
    # Two workers, as joblib runs what a single one would do in this process.
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        with joblib.parallel_config(backend="dask"):
            by_joblib = joblib.Parallel()([joblib.delayed(seen)()] * 4)
        one, *others = [*client.run(seen).values(), *by_joblib]
        assert all(other == one for other in others), others
        print(sys.argv[1], one)
        return one


if __name__ == "__main__":
    assert cores > 1, "this needs a machine of two cores or more"
    if sys.argv[1] == "bare":
        assert of_a_worker() == (cores, "1", [])
    elif sys.argv[1] == "variable":
        assert dask.config.get(PLACE)["numba_num_threads"] == 1
        assert of_a_worker() == (cores, "1", ["numba_num_threads"])
    elif sys.argv[1] == "configured":
        with dask.config.set({f"{PLACE}.NUMBA_NUM_THREADS": 1}):
            assert of_a_worker() == (1, "1", ["NUMBA_NUM_THREADS"])
    else:
        by_loky = joblib.Parallel(n_jobs=os.cpu_count())([joblib.delayed(seen)()] * 2)
        print("loky", by_loky)
        assert by_loky == [(1, "1", ["NUMBA_NUM_THREADS"])] * 2
END
unset NUMBA_NUM_THREADS OMP_NUM_THREADS
venv/bin/python threads.py bare
DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON__NUMBA_NUM_THREADS=1 venv/bin/python threads.py variable
venv/bin/python threads.py configured
venv/bin/python threads.py loky
