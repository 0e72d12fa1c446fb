#!/usr/bin/env bash
# distributed 2026.8.0 times garbage collections from when the first worker or scheduler of a process
# starts. If another thread is collecting at that moment, which may happen in a notebook or a test
# with a cluster of threads, the timer sees the end of a collection whose beginning it did not see,
# and an AssertionError without a message goes to stderr. The cluster works all the same. But pytest
# with `-W error` takes what could not be raised for a warning, and fails whichever test then runs.
#
#   a cluster of threads starts                      stderr ends with
#   while another thread collects                    AssertionError
#   before that                                      (nothing)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install distributed==2026.8.0 dask==2026.8.0
cd "$folder"
cat > collect.py <<'END'
import gc
import sys
import threading

from distributed import Client, LocalCluster

collecting, started = threading.Event(), threading.Event()


class Slow:
    """An object of a cycle, whose end takes until the cluster has started."""

    def __init__(self):
        self.me = self

    def __del__(self):
        collecting.set()
        started.wait(60)


def cluster():
    return LocalCluster(n_workers=1, processes=False, dashboard_address=None)


gc.disable()  # only the thread below collects
Slow()
collector = threading.Thread(target=gc.collect)
if sys.argv[1] == "while":
    collector.start()
    collecting.wait(60)
    running = cluster()
else:
    running = cluster()
    collector.start()
started.set()
collector.join()
with running, Client(running) as client:
    print(client.submit(sum, [1, 2]).result())
END
seen=$(for when in while before; do
    ./venv/bin/python collect.py $when 2>"$when" &&
        echo "$when: $(tail -n 1 "$when" | tr -d ': ')"
done)
expected="3
while: AssertionError
3
before: "
echo "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
