"""NVRTC, which comes as a wheel and needs no GPU, compiles every kernel that minise has."""

from itertools import product
from pathlib import Path

import pytest
from stand_in import nvrtc
from stand_in.installed import needs_compiler, stand_in_as_cupy

from minise import kernels

FILES = sorted(file.name for file in (Path(kernels.__file__).parent / "cupy").glob("*.cu"))
# for Turing, the oldest that CUDA 12 and 13 share, and for Hopper
FOR = [
    ("float", "compute_90"),
    *(
        pytest.param(*pair, marks=pytest.mark.slow)
        for pair in [("float", "compute_75"), ("double", "compute_75"), ("double", "compute_90")]
    ),
]
VARIANTS = {
    "squeeze.cu": ["-DADD=0", "-DADD=1", "-DADD=2"],
    "norm.cu": ["-DRELU=0 -DFROM_BATCH=1", "-DRELU=1 -DFROM_BATCH=0"],
    "conv.cu": [
        f"-DTM={TM} -DTN={TN} -DWINDOW={window}"
        for (TM, TN), window in product(
            [(8, 64), (16, 128), (32, 64), (64, 128)],
            ["{3,3,1,1,1,1,1,1}", "{KH,KW,SH,SW,PH,PW,DH,DW}"],
        )
    ],
}


@needs_compiler
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(("number", "card"), FOR)
def test_every_source_compiles_to_ptx(file, number, card):
    with stand_in_as_cupy():
        from minise.kernels.cupy.launch import source
    entries = source(file).count('extern "C" __global__')
    assert entries
    widths = (1,) if file == "conv.cu" else (1, 4)
    for variant, width in product(VARIANTS.get(file, [""]), widths):
        options = ["--std=c++17", f"--gpu-architecture={card}", f"-DFLOAT={number}"]
        options += [f"-DWIDTH={width}", *variant.split()]
        ptx = nvrtc.compile_to_ptx(source(file), options, file)  # it comes with minise[test]
        assert ptx.count(".visible .entry") == entries
        # nothing is called, all is in place, but for the slow paths of exp, log and pow
        assert "call.uni" not in ptx or file in ("optimizers.cu", "activation.cu", "loss.cu")
