"""The stand-in takes what NVRTC takes and nothing else, as far as a C++ compiler can know."""

import os
import subprocess
import sys

import pytest
from stand_in import nvrtc
from stand_in.installed import STAND_IN, needs_compiler, stand_in_as_cupy


@pytest.fixture(scope="module")
def cp():
    with stand_in_as_cupy() as cupy:
        yield cupy


CUDA_C = {
    "y[0] = fmaxf(y[1], 2) + rsqrtf(y[2]) + __expf(y[0]);": True,
    "y[0] = max(y[1], 2.f) + min(3, 4u) + fabs(y[2]) + abs(-2);": True,
    "float4 v = make_float4(1, 2, 3, 4); y[0] = v.w + __ldg(y);": True,
    "size_t n = isnan(y[1]) || !isfinite(y[2]); y[0] = n;": True,
    "y[0] = __int_as_float(0x7f800000); assert(y[0] > 0);": True,
    "y[0] = pow(y[0], 2) + exp(y[1]) + fma(y[0], y[1], y[2]);": True,
    "y[0] = INFINITY;": False,
    "y[0] = __builtin_inff();": False,
    "y[0] = FLT_MAX;": False,
    "int64_t n = 1; y[0] = n;": False,
    "y[0] = std::max(1, 2);": False,
    "y[0] = max(y[1], 1);": False,
    "y[0] = fmax(y[1], 1.0);": False,
    "y[0] = sqrt(2);": False,
    "y[0] = undefined(2);": False,
    "\n#include <math.h>\n": False,
}


@needs_compiler
def test_kernels_can_use_what_nvrtc_knows_and_nothing_else(cp):
    bodies = [body for body, right in CUDA_C.items() if right]
    template = 'extern "C" __global__ void k%d(float* y) { %s }\n'
    cp.RawModule(code="".join(template % pair for pair in enumerate(bodies))).compile()
    wrong = [body for body, right in CUDA_C.items() if not right]
    for body in wrong:
        code = template % (0, body)
        with pytest.raises(cp.cuda.compiler.CompileException, match=r"error|cannot open"):
            cp.RawKernel(code, "k0").compile()
    with pytest.raises(cp.cuda.compiler.CompileException, match="write __int_as_float"):
        cp.RawKernel(template % (0, "y[0] = INFINITY;"), "k0").compile()
    with pytest.raises(cp.cuda.compiler.CompileException, match="unrecognized option"):
        cp.RawKernel(template % (0, ""), "k0", options=("-O3",)).compile()
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="CUDA_ERROR_NOT_FOUND"):
        cp.RawModule(code=template % (0, "")).get_function("k1")


@pytest.mark.parametrize("body", CUDA_C)
def test_nvrtc_itself_says_the_same(body):
    code = f'extern "C" __global__ void k(float* y) {{ {body} }}'
    try:
        if CUDA_C[body]:
            assert ".entry k" in nvrtc.compile_to_ptx(code, ("--std=c++17",), "k.cu")
        else:
            with pytest.raises(RuntimeError, match=r"k\.cu\(\d\): (catastrophic )?error"):
                nvrtc.compile_to_ptx(code, ("--std=c++17",), "k.cu")
    except nvrtc.NvrtcMissing as missing:
        pytest.skip(str(missing))


def test_without_a_compiler_one_is_asked_for(tmp_path):
    code = "import cupy; cupy.RawKernel('extern \"C\" __global__ void k() {}', 'k').compile()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(STAND_IN), "PATH": str(tmp_path), "CXX": ""},
    )
    assert "RuntimeError" in done.stderr
    assert "needs a C++ compiler: g++ or clang++" in done.stderr
