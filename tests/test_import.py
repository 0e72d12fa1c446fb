import subprocess
import sys


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )


def test_importing_minise_is_light_and_quiet():
    heavy = ["numba", "cupy", "PIL", "matplotlib", "pooch", "rich", "click", "safetensors"]
    heavy += ["torch", "jax"]
    done = run(
        "import random, sys, numpy as np; np.random.seed(1); before = np.random.get_state()[1][:5];"
        "errors = np.geterr(); import minise;"
        f"print([name for name in {heavy} if name in sys.modules],"
        " (np.random.get_state()[1][:5] == before).all(), np.geterr() == errors)"
    )
    assert done.stdout == "[] True True\n"
    assert done.stderr == ""


def test_what_measures_is_imported_only_to_measure():
    done = run(
        "import sys, minise.cli; names = ['minise.bench', 'torch', 'matplotlib'];"
        "print([name for name in names if name in sys.modules]); import minise.bench;"
        "print([name for name in names[1:] if name in sys.modules])"
    )
    assert done.stdout == "[]\n[]\n"


def test_code_of_other_packages_is_checked_without_importing_them_for_code_that_is_not_theirs():
    done = run(
        "import sys, numpy as np, minise, minise.cli; from minise import gradcheck, ops\n"
        "gradcheck.assert_gradients((ops.tanh, ops.tanh_backward), np.ones(3))\n"
        "gradcheck.assert_gradients(minise.SEBlock(8, 2), np.ones((1, 8, 2, 2)))\n"
        "print([name for name in ['torch', 'jax', 'jaxlib'] if name in sys.modules])"
    )
    assert done.stdout == "[]\n"


def test_importing_minise_gives_every_room_that_a_learner_names():
    run("import minise; [getattr(minise, name) for name in minise.__all__]; minise.train.SGD")


def test_every_public_name_is_there():
    run(
        "import importlib\n"
        "rooms = 'bench data export gradcheck inspect models nn ops runs train'\n"
        "for name in ['', *('.' + room for room in rooms.split())]:\n"
        "    module = importlib.import_module('minise' + name)\n"
        "    for public in module.__all__: getattr(module, public)\n"
    )
