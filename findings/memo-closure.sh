#!/usr/bin/env bash
# joblib 1.6.0 (Memory), jug 2.7.0 and Parsl 2026.10.26 (python_app with cache=True) know a call by the
# function's name, or its code, and by the arguments, not by what the function has closed over. So
# trainings made by a function, one for each rate, are one training for them: the second rate gets
# the result of the first, without a word. jug takes methods too, and knows neither their object nor
# its class: Plain().train(0) and Gated().train(0) are the same task. It refuses a lambda only. With
# functools.partial in place of the closure jug is right, and joblib is with methods.
#
#   trainer(rate)(seed=0), rates of 0.1 and 0.2         seen, all three      (0.1, 0) and (0.1, 0)
#   Plain(0.1).train(0), Plain(0.2).train(0)            jug                  the first twice
#   Plain(0.1).train(1), Gated(0.1).train(1)            jug                  "plain" twice
#   partial(train, rate)(0)                             jug                  (0.1, 0) and (0.2, 0)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install joblib==1.6.0 jug==2.7.0 parsl==2026.10.26
cd "$folder"
cat > trainings.py <<'END'
from functools import partial


def trainer(rate):
    def train(seed):
        return rate, seed

    return train


class Plain:
    kind = "plain"

    def __init__(self, rate):
        self.rate = rate

    def train(self, seed):
        return self.kind, self.rate, seed


class Gated(Plain):
    kind = "gated"

    def train(self, seed):
        return "gated", self.rate, seed


def train(rate, seed):
    return rate, seed


closures = [trainer(rate) for rate in (0.1, 0.2)]
methods = [Plain(rate).train for rate in (0.1, 0.2)]
classes = [Plain(0.1).train, Gated(0.1).train]
partials = [partial(train, rate) for rate in (0.1, 0.2)]
END
cat > jugfile.py <<'END'
import trainings
from jug import Task

closures = [Task(function, 0) for function in trainings.closures]
methods = [Task(function, 0) for function in trainings.methods]
classes = [Task(function, 1) for function in trainings.classes]
partials = [Task(function, 2) for function in trainings.partials]
END
cat > memo.py <<'END'
import joblib
import jug
import parsl
import trainings

memory = joblib.Memory("joblib", verbose=0)
by_joblib = [memory.cache(function)(0) for function in trainings.closures]
by_joblib_methods = [memory.cache(function)(0) for function in trainings.methods]

parsl.load(parsl.Config(executors=[parsl.ThreadPoolExecutor()], run_dir="parsl"))
apps = [parsl.python_app(function, cache=True) for function in trainings.closures]
by_parsl = [app(0).result() for app in apps]
parsl.clear()

_, tasks = jug.init("jugfile.py", "jugfile.jugdata")
by_jug = {
    name: jug.value(tasks[name]) for name in ("closures", "methods", "classes", "partials")
}

print("joblib", by_joblib, by_joblib_methods)
print("parsl", by_parsl)
print("jug", by_jug)
same = [(0.1, 0), (0.1, 0)]
assert [function(0) for function in trainings.closures] == [(0.1, 0), (0.2, 0)]
assert by_joblib == by_parsl == by_jug["closures"] == same
assert by_joblib_methods == [("plain", 0.1, 0), ("plain", 0.2, 0)]
assert by_jug["methods"][0] == by_jug["methods"][1]
assert by_jug["classes"] == [("plain", 0.1, 1)] * 2
assert by_jug["partials"] == [(0.1, 2), (0.2, 2)]
END
venv/bin/jug execute --will-cite jugfile.py > said.txt || { cat said.txt; exit 1; }
venv/bin/python memo.py
