#!/usr/bin/env bash
# Numba 0.68.1: where one slice of an array is assigned to another, the text of the error for shapes
# that do not fit is compiled into the function, with all that prints a tuple. The machine code is
# eight times that of the same loop, and the first such line of a process takes twenty times as long
# to compile. A number assigned to a slice, and a loop, are compiled without it.
#
#   seen                  lines of machine code    CPU seconds
#   loop                                    288           0.08
#   number to slice                         237           0.12
#   slice to slice                        2,413           2.4, each further one 0.26
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install numba==0.68.1 numpy==2.4.6
cd "$folder"
cat > kernels.py <<'END'
import time

import numba


def loop(to, source):
    for k in range(1, to.size):
        to[k] = source[k]


def number_to_slice(to, source):
    to[1:] = source[0]


def slice_to_slice(to, source):
    to[1:] = source[1:]


def compile(function):
    began = time.process_time()
    compiled = numba.njit(function)
    compiled.compile("void(float32[::1], float32[::1])")
    seconds = time.process_time() - began
    lines = len(compiled.inspect_asm(compiled.signatures[0]).splitlines())
    print(f"{function.__name__:16} {lines:5} lines {seconds:6.2f} s")
    return lines


compile(loop)  # what every first function takes
lines = [compile(function) for function in (loop, number_to_slice, slice_to_slice)]
assert max(lines[:2]) * 4 < lines[2], lines
END
venv/bin/python kernels.py
