"""Both libraries are given the same work, and PyTorch its best form: seen on what is timed."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from minise import backend, bench, nn, ops, train
from minise.bench import cases, memory, ours, runner
from minise.bench.timing import Measured
from minise.cores import most_threads

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.optim.optimizer import register_optimizer_step_pre_hook  # noqa: E402

from minise.bench import pytorch  # noqa: E402  (which imports it)

NCHW, LAST = torch.contiguous_format, torch.channels_last
FORMATS = {"nchw": NCHW, "channels_last": LAST}
THREADS = min(2, most_threads())


@pytest.fixture
def timed(monkeypatch):
    """Run a case with `look(name, call)` in place of the clock; gives what it saw of each way."""

    def of(case, look, threads=1, **options):
        seen = {}

        def alternate(calls, **_):
            seen.update({name: look(name, call) for name, call in calls.items()})
            return dict.fromkeys(calls, Measured(1.0, 1.0, 1.0, 3))

        monkeypatch.setattr(runner, "alternate", alternate)
        (result,) = bench.run([case], threads=threads, **options).results
        assert result.wrong == ()
        assert list(result.pytorch) == list(seen)[1:]
        return seen

    return of


@pytest.fixture
def other_threads():
    """Before a run, minise has one thread and PyTorch three."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    backend.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def threads_of(name="", call=None):
    of_numpy = [
        pool["num_threads"]
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]
    ]
    return torch.get_num_threads(), backend.get_num_threads(), *of_numpy


@pytest.mark.effect("bench.run(threads)")
@pytest.mark.usefixtures("other_threads")
def test_both_have_the_threads_that_are_said_while_they_are_timed(timed, monkeypatch):
    asked = []
    monkeypatch.setattr(runner, "measure_ceilings", asked.append)
    for threads in (1, THREADS):
        seen = timed(cases.se("se", 2, 4, 4, 2), threads_of, threads=threads)
        assert list(seen) == ["minise", "nchw", "channels_last"]
        assert {number for each in seen.values() for number in each} == {threads}
        assert threads_of()[:2] == (3, 1)
    assert asked == [1, THREADS]
    report = bench.run([], threads=THREADS)
    assert report.machine["threads"] == THREADS


@pytest.mark.usefixtures("other_threads")
def test_threads_are_put_back_where_a_case_fails():
    def fail(library, arrays):
        raise KeyboardInterrupt

    case = bench.Case("fails", "", bench.Work(1, "B"), dict, fail)
    with pytest.raises(KeyboardInterrupt):
        bench.run([case], threads=THREADS)
    assert threads_of()[:2] == (3, 1)


@pytest.mark.usefixtures("other_threads")
def test_the_processes_for_memory_and_neighbours_have_them_too(monkeypatch):
    asked = []

    def measure_memory(case, variant, threads):
        asked.append((variant and variant.name, threads))
        return Measured(1.0, 1.0, 1.0, 1)

    monkeypatch.setattr(runner, "measure_memory", measure_memory)
    case = bench.MemoryCase("memory", "", "cnn", 2)
    bench.run([case], threads=THREADS)
    assert sorted(asked, key=str) == [
        ("channels_last", THREADS), ("nchw", THREADS), (None, THREADS)
    ]  # fmt: skip
    trainer = memory.trainer_of({"net": "cnn", "threads": THREADS, "variant": None})
    assert isinstance(trainer, ours.Trainer)
    assert threads_of()[:2] == (3, THREADS)
    backend.set_num_threads(1)
    variant = bench.Variant(channels_last=True)
    trainer = memory.trainer_of({"net": "cnn", "threads": THREADS, "variant": [*variant]})
    assert trainer.variant == variant
    assert threads_of()[:2] == (THREADS, 1)


class Watched(torch.utils._python_dispatch.TorchDispatchMode):
    """What reaches PyTorch's own kernels: the tensors that each was given."""

    def __init__(self):
        super().__init__()
        self.given = {}

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        tensors = [a for a in arguments if isinstance(a, torch.Tensor)]
        self.given.setdefault(function.overloadpacket.__name__, []).append(tensors)
        return function(*arguments, **(options or {}))


def given_to_kernels(name, call):
    with Watched() as watched:
        call()
    return watched.given


def in_this_layout(tensor, layout):
    return tensor.is_contiguous(memory_format=FORMATS[layout])


def test_both_compute_on_the_same_numbers_each_in_its_layouts(timed, monkeypatch):
    calls = []
    for name in ("conv2d", "conv2d_backward"):
        function = getattr(ops, name)

        def watched(*arguments, function=function, **options):
            calls.append((*arguments, options))
            return function(*arguments, **options)

        monkeypatch.setattr(ops, name, watched)
    case = cases.conv("conv", 3, 4, 6, 5, stride=2, groups=2)
    seen = timed(case, given_to_kernels)
    (x, w, options), (dy, saved, _) = calls[-2:]
    assert options == {"stride": 2, "padding": 1, "groups": 2}
    for image in (x, dy):
        assert image.transpose(1, 2, 3, 0).flags.c_contiguous
    assert w.flags.c_contiguous
    assert saved.x is x
    assert x.dtype == w.dtype == dy.dtype == np.float32
    assert len(seen.pop("minise")) == 0
    for layout, given in seen.items():
        (forward,), (backward,) = given["convolution"], given["convolution_backward"]
        for tensor, array in zip([*forward, *backward], [x, w, dy, x, w], strict=True):
            assert tensor.dtype == torch.float32
            np.testing.assert_array_equal(tensor.detach().numpy(), array)
            assert in_this_layout(tensor, layout)
            assert not in_this_layout(tensor, ({*FORMATS} - {layout}).pop())


def test_nets_are_in_the_layout_that_is_said(timed):
    seen = timed(cases.step("step", "se-cnn", 2), given_to_kernels)
    for layout in FORMATS:
        x, w = seen[layout]["convolution"][1][:2]  # the first has one channel
        assert (x.shape, w.shape) == ((2, 8, 14, 14), (16, 8, 3, 3))
        assert in_this_layout(x, layout)
        assert in_this_layout(w, layout)
    assert bench.Variant(*[True] * 3).name == "channels_last_compiled_graphs"


def leaves(y):
    """The shapes of all that a gradient of y reaches."""
    nodes, met, found = [y.grad_fn], set(), []
    while nodes:
        node = nodes.pop()
        if node is None or node in met:
            continue
        met.add(node)
        if hasattr(node, "variable"):
            found.append(tuple(node.variable.shape))
        nodes += [following for following, _ in node.next_functions]
    return sorted(found)


@pytest.mark.parametrize(
    "case",
    [
        cases.conv("conv", 3, 4, 6, 5),
        cases.linear("linear", 4, 6, 3),
        cases.norm_relu("norm-relu", 3, 4, 5),
        cases.tail("tail", 3, 4, 5),
        cases.pool("pool", 3, 4, 6),
    ],
    ids=lambda case: case.name,
)
def test_of_an_operation_both_compute_the_same_gradients(timed, case):
    seen = timed(case, lambda name, call: call())
    _, gradients = seen.pop("minise")
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    shapes = [g.shape for g in gradients if g is not None]
    for y, theirs in seen.values():
        assert [tuple(g.shape) for g in theirs] == shapes
        assert leaves(y) == sorted(shapes)


def test_of_a_block_and_a_net_both_compute_the_same_gradients(timed):
    block = [p.value.shape for p in nn.SEBlock(8, 2).parameters()]
    seen = timed(cases.se("se", 3, 8, 4, 2), lambda name, call: call())
    assert seen.pop("minise")[1].shape == (3, 8, 4, 4)
    for y, theirs in seen.values():
        assert [tuple(g.shape) for g in theirs] == [(3, 8, 4, 4), *block]
        assert leaves(y) == sorted([(3, 8, 4, 4), *block])
    step = cases.step("step", "se-cnn", 2)
    seen = timed(step, lambda name, call: call())
    net = [p.value.shape for p in ours.Trainer("se-cnn").net.parameters()]
    del seen["minise"]
    for _, loss in seen.values():
        assert leaves(loss) == sorted(net)  # and none of the images


def test_where_nothing_is_learned_nothing_is_kept_for_a_backward(timed, monkeypatch):
    passes = []
    forward = nn.Linear.forward

    def watched(layer, x, training=True):
        passes.append(training)
        return forward(layer, x, training)

    monkeypatch.setattr(nn.Linear, "forward", watched)
    seen = timed(cases.evaluated("image", "se-cnn"), lambda name, call: call())
    assert set(passes) == {False}
    assert isinstance(seen.pop("minise"), np.ndarray)
    for scores in seen.values():
        assert scores.is_inference()
        assert not scores.requires_grad


def test_an_optimiser_takes_the_same_step_and_pytorchs_is_its_fastest(timed, monkeypatch):
    mine, theirs = [], []
    step = train.SGD.step
    monkeypatch.setattr(train.SGD, "step", lambda self: (mine.append(self), step(self)))
    hook = register_optimizer_step_pre_hook(lambda optimizer, *_: theirs.append(optimizer))
    with_hook = timed(cases.step("step", "se-cnn", 2), lambda name, call: theirs.clear() or call())
    hook.remove()
    assert len(with_hook) == 3
    (optimizer,) = theirs  # of the last way, once
    own = mine[-1]
    assert type(optimizer) is torch.optim.SGD
    options = optimizer.defaults
    assert (options["lr"], options["momentum"]) == (own.lr, own.momentum)
    assert (options["nesterov"], own.nesterov) == (False, False)
    assert (options["weight_decay"], options["dampening"], own.weight_decay) == (0, 0, 0)
    assert options["fused"]
    (group,) = optimizer.param_groups
    assert sorted(tuple(p.shape) for p in group["params"]) == sorted(
        p.value.shape for p in own.parameters
    )


def test_both_have_moved_alike_after_some_steps():
    sides = ours.Trainer("se-cnn"), pytorch.Trainer("se-cnn", bench.Variant())
    for trainer in sides:
        batch = trainer.place(cases.images("se-cnn", 4))
        for _ in range(3):
            trainer.step(*batch)
    names = [name for name, _ in sides[0].net.named_parameters()]
    velocity = dict(zip(names, sides[0].optimizer.state_dict().values(), strict=True))
    for name, parameter in sides[1].net.named_parameters():
        momentum = sides[1].optimizer.state[parameter]["momentum_buffer"].numpy()
        own = velocity[name]
        assert np.linalg.norm(own - momentum) <= 1e-3 * np.linalg.norm(momentum)


@pytest.mark.effect("bench.run(compiled)")
def test_compiled_is_timed_beside_both_layouts(timed, monkeypatch):
    asked, called = [], []

    def compile(function, **options):
        asked.append(options)
        return lambda *inputs: (called.append(1), function(*inputs))[1]

    monkeypatch.setattr(torch, "compile", compile)

    def count(name, call):
        called.clear()
        call()
        return len(called)

    for case in (cases.conv("conv", 3, 4, 6, 5), cases.evaluated("image", "cnn")):
        asked.clear()
        assert timed(case, count, compiled=True) == {
            "minise": 0,
            "nchw": 0,
            "channels_last": 0,
            "nchw_compiled": 1,
            "channels_last_compiled": 1,
        }
        assert asked == [{"dynamic": False, "mode": None}] * 2
        assert list(timed(case, count)) == ["minise", "nchw", "channels_last"]
    rows = cases.linear("linear", 4, 6, 3)  # which have no layout
    assert list(timed(rows, count, compiled=True)) == ["minise", "nchw", "nchw_compiled"]


def test_on_a_gpu_the_compiler_chooses_the_layout_and_graphs_are_replayed(monkeypatch):
    monkeypatch.setattr(type(backend.current()), "on_gpu", True)
    case = cases.conv("conv", 3, 4, 6, 5)
    names = [variant.name for variant in runner._variants(case, True)]
    assert names == ["nchw", "channels_last", "nchw_compiled", "nchw_compiled_graphs"]
    options = []
    monkeypatch.setattr(torch, "compile", lambda f, **given: options.append(given) or f)
    pytorch.compiled(abs, runner._variants(case, True)[-1])
    assert options == [{"dynamic": False, "mode": "reduce-overhead"}]
