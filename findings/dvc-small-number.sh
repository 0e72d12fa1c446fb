#!/usr/bin/env bash
# DVC 3.67.1 and PyYAML 6.0.4: an experiment's parameter set by -S, as in a sweep of rates, is a
# number for the training down to 0.0001, and text from 0.00001 on. DVC writes YAML 1.2, where 1e-05
# is a number, and rewrites 0.00001 and 1.0e-5 so; PyYAML, with which a training reads params.yaml,
# knows YAML 1.1, where a number with an exponent needs a point. dvc.api.params_show() gives the number.
# A training that does not fail at it (one that names a folder, prints, or passes it on as an option)
# differs only in that 1e-05 is text.
#
#   dvc exp run -S rate=     params.yaml, seen     yaml.safe_load     dvc.api.params_show
#   0.0001                   0.0001                0.0001             0.0001
#   0.00001                  1e-05                 '1e-05'            1e-05
#   1.0e-5                   1e-05                 '1e-05'            1e-05
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install dvc==3.67.1 pyyaml==6.0.4 ruamel.yaml==0.19.1
export PATH="$folder/venv/bin:$PATH" DVC_NO_ANALYTICS=true
mkdir "$folder/sweep"
cd "$folder/sweep"
git init --quiet .
git config user.name nobody
git config user.email nobody@example.com
dvc init --quiet
echo "rate: 0.001" > params.yaml
cat > train.py <<'END'
import json
from pathlib import Path

import dvc.api
import yaml

text = Path("params.yaml").read_text(encoding="utf-8")
rates = yaml.safe_load(text)["rate"], dvc.api.params_show()["rate"]
Path("seen.json").write_text(json.dumps([text, *rates]), encoding="utf-8")
END
cat > dvc.yaml <<'END'
stages:
  train:
    cmd: python train.py
    params: [rate]
    outs: [seen.json]
END
git add .
git commit --quiet --message "a training"
cat > check.py <<'END'
import json
import sys
from pathlib import Path

seen = json.loads(Path("seen.json").read_text(encoding="utf-8"))
print(sys.argv[1], *map(repr, seen))
assert seen == json.loads(sys.argv[2]), sys.argv
END
run() {
  dvc exp run --quiet -S "rate=$1" > said.txt 2>&1 || { cat said.txt; exit 1; }
  python check.py "$1" "$2"
}
run 0.0001 '["rate: 0.0001\n", 0.0001, 0.0001]'
run 0.00001 '["rate: 1e-05\n", "1e-05", 1e-05]'
run 0.001 '["rate: 0.001\n", 0.001, 0.001]'
run 1.0e-5 '["rate: 1e-05\n", "1e-05", 1e-05]'
