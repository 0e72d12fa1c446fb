import copy
import json
import re

import numpy as np
import pytest

from minise import InputError, models, nn, runs
from minise.files import Tensors, write_tensors
from minise.models.naming import OURS

SE18 = "se-resnet18"


@pytest.fixture(scope="module")
def net():
    return models.create("se-resnet18", seed=4, num_classes=3)


def assert_same(first, second):
    first, second = first.state_dict(), second.state_dict()
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def legacy():
    """A net like timm's legacy_seresnet18."""
    return models.create(SE18, seed=5, num_classes=3, ceil_pool=True, placement="activated")


@pytest.fixture(scope="module")
def timm():
    """A net like timm's seresnet18."""
    return models.create(SE18, seed=6, num_classes=3, rounding="timm")


def test_a_net_that_was_saved_is_loaded_again(net, legacy, timm, tmp_path):
    for naming, saved in ((None, net), ("timm-legacy", legacy), ("timm", timm)):
        models.save(saved, tmp_path / "x.safetensors", naming=naming)
        again = models.load(SE18, tmp_path / "x.safetensors", naming=naming, num_classes=3)
        assert_same(again, saved)


def test_options_win_over_those_that_go_with_the_names(timm, tmp_path):
    path = tmp_path / "x.safetensors"
    models.save(timm, path, naming="timm")
    other = models.load(SE18, path, naming="timm", num_classes=3, gate="tanh")
    assert_same(other, timm)
    assert type(other.layer1.children().__next__()[1].se.gate).__name__ == "Tanh"


def refused(call, *given, **options):
    with pytest.raises(InputError) as error:
        call(*given, **options)
    return str(error.value)


# what each does otherwise than theirs: seen as scores that were off by 0.13 to 0.25
@pytest.mark.parametrize(
    ("name", "naming", "told"),
    [
        ("resnet50", "torchvision", "layer2.0.conv1.stride is (2, 2), theirs (1, 1)"),
        ("se-resnet50", "timm", "layer2.0.conv1.stride is (2, 2), theirs (1, 1)"),
        ("se-resnet50", "cadene", "maxpool.window.padding is (1, 1), theirs (0, 0); and 1 more"),
        (
            "se-resnext50-32x4d",
            "cadene",
            "maxpool.window.padding is (1, 1), theirs (0, 0); and 1 more",
        ),
        ("se-resnet18", "timm", "layer1.0.se.fc1.weight is (4, 64), theirs (8, 64)"),
        ("se-resnet18", "moskomule", "layer1.0.se.fc1.bias"),
        ("se-mobilenetv3-small", "timm", "stem.bn.eps is 0.001, theirs 1e-05"),
    ],
)
def test_what_is_another_net_than_theirs_is_not_saved_as_theirs(name, naming, told, tmp_path):
    net, path = models.create(name, filled=False), tmp_path / "x.safetensors"
    said = refused(models.save, net, path, naming=naming)
    assert said.startswith(f"this {name} is not {naming}'s ")
    assert told in said
    assert not path.exists()
    (call,) = re.findall(r"(models\.create\(.*\)) makes theirs$", said)
    models.save(eval(call), path, naming=naming)  # as it is told, so it works
    assert path.exists()


def test_the_call_that_makes_theirs_has_the_sizes_of_this_net(tmp_path):
    net = models.create("se-resnet18", num_classes=7, in_channels=1, gate="tanh")
    said = refused(models.save, net, tmp_path / "x", naming="timm")
    sizes = "num_classes=7, in_channels=1, stride_first=False, rounding="
    assert f"models.create(\"se-resnet18\", {sizes}'timm') makes theirs" in said


def test_a_net_that_they_do_not_have_is_refused(net, tmp_path):
    models.save(net, tmp_path / "x.safetensors")
    for call, first in ((models.save, net), (models.load, SE18)):
        said = refused(call, first, tmp_path / "x.safetensors", naming="torchvision")
        assert said.startswith("naming='torchvision' has no net like se-resnet18: it has resnet18")
        assert "\n" not in said or call is models.load
        told = refused(call, first, tmp_path / "x.safetensors", naming="cadene")
        assert "naming='timm-legacy' reads timm's legacy_seresnet18" in told
    tiny = models.create("se-cnn")
    assert "no net like se-cnn: it has " in refused(
        models.save, tiny, tmp_path / "y.safetensors", naming="cadene"
    )
    assert not (tmp_path / "y.safetensors").exists()


def test_only_a_net_whose_making_is_known_is_saved_as_theirs(tmp_path):
    net = nn.Sequential(fc=nn.Linear(2, 2))
    said = refused(models.save, net, tmp_path / "x", naming="timm")
    assert "models.create or models.load made" in said
    models.save(net, tmp_path / "x.safetensors")


def test_a_net_that_was_changed_after_it_was_made_is_seen(timm, tmp_path):
    for change in (
        lambda net: setattr(net.bn1, "eps", 1e-3),
        lambda net: setattr(
            net, "fc", nn.Sequential(nn.Dropout(rng=np.random.default_rng()), net.fc)
        ),
        lambda net: setattr(net.layer4, "1", nn.Sequential()),
        lambda net: setattr(net.bn1, "forward", lambda x, training=True: (x, None)),
    ):
        net = copy.deepcopy(timm)
        models.save(net, tmp_path / "x.safetensors", naming="timm")
        change(net)
        assert "this se-resnet18 is not timm's seresnet18: " in refused(
            models.save, net, tmp_path / "x.safetensors", naming="timm"
        )


def test_moved_and_copied_nets_know_how_they_were_made(timm, tmp_path):
    assert timm.made_as == (SE18, 3, 3, {"rounding": "timm"})
    for twin in (nn.moved(timm), copy.deepcopy(timm)):
        models.save(twin, tmp_path / "x.safetensors", naming="timm")
        assert twin.made_as == timm.made_as
    assert "made_as" not in repr(timm)


def test_dropout_and_the_momentum_of_norms_change_no_score(timm, tmp_path):
    timm = copy.deepcopy(timm)
    timm.bn1.momentum = 0.01
    models.save(timm, tmp_path / "x.safetensors", naming="timm")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_weights_are_saved_in_another_dtype(dtype, tmp_path):
    net = models.create("se-cnn", seed=1)
    models.save(net, tmp_path / "x.safetensors", dtype=dtype)
    again = models.load("se-cnn", tmp_path / "x.safetensors").state_dict()
    digits = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 24}[dtype]
    for name, value in net.state_dict().items():
        mantissa, exponent = np.frexp(value.astype(np.float64))
        kept = np.ldexp(np.round(mantissa * 2**digits), exponent - digits)  # halves to even
        if dtype != "float16":  # whose smallest numbers have fewer digits
            assert (again[name] == kept).all()
        np.testing.assert_allclose(again[name], value, rtol=2.0**-digits, atol=2.0**-25)


def test_a_file_of_another_net_is_answered_with_what_differs_in_its_own_names(legacy, tmp_path):
    path = tmp_path / "x.safetensors"
    models.save(legacy, path, naming="timm-legacy")
    told = refused(models.load, "se-resnet34", path, naming="timm-legacy")
    assert told.startswith(f"{path} does not fit se-resnet34 in the names of timm-legacy:\n")
    assert "missing: layer1.2.conv1.weight; layer1.2.bn1.weight;" in told
    assert "of another shape: last_linear.weight (3, 512), expected (1000, 512);" in told
    assert told.endswith(
        '\n  this call fits the file: models.load("se-resnet18", '
        f'{json.dumps(str(path))}, naming="timm-legacy", num_classes=3)'
    )
    assert told.count("\n") == 3


def test_the_call_that_reads_a_file_is_told(legacy, timm, tmp_path):
    path = tmp_path / "x.safetensors"
    call = f'this call fits the file: models.load("{SE18}", {json.dumps(str(path))}, '
    models.save(timm, path, naming="timm")
    for name, naming in (
        (SE18, None),
        (SE18, "timm-legacy"),
        (SE18, "cadene"),
        ("senet154", "timm"),
    ):
        told = refused(models.load, name, path, naming=naming)
        assert told.endswith(f'{call}naming="timm", num_classes=3)'), (name, naming)
    assert refused(models.load, SE18, path, naming="timm").endswith('naming="timm", num_classes=3)')
    models.save(legacy, path, naming="timm-legacy")
    for naming in (None, "timm", "cadene", "torchvision"):
        told = refused(models.load, SE18, path, naming=naming)
        assert told.endswith(f'{call}naming="timm-legacy", num_classes=3)'), naming
    models.save(models.create("se-vgg-8k", in_channels=3), path)
    told = refused(models.load, "se-cnn", path)
    assert "is of se-vgg-8k, not of se-cnn" in told
    rename(models.create("se-vgg-8k", in_channels=3), path, lambda name: f"module.{name}")
    told = refused(models.load, "se-cnn", path)
    call = told.partition("fits the file: ")[2]
    assert call == f'models.load("se-vgg-8k", {json.dumps(str(path))}, in_channels=3)'
    assert eval(call).made_as.name == "se-vgg-8k"  # as typed from any folder


def test_no_call_is_told_for_a_file_that_no_call_reads(tmp_path):
    path = tmp_path / "x.safetensors"
    state = models.create("se-cnn").state_dict()
    write_tensors(path, Tensors({name: v.astype(np.int8) for name, v in state.items()}, {}))
    told = refused(models.load, "se-cnn", path)
    assert "not floating point: conv1.weight is int8;" in told
    assert "this call fits" not in told


def test_a_file_of_ours_tells_the_call_that_reads_it(tmp_path):
    path = tmp_path / "x.safetensors"
    net = models.create("se-resnet8", num_classes=3, stages={1, 2}, hidden=np.int64(4))
    models.save(net, path)
    told = refused(models.load, "se-resnet8", path)
    call = told.rpartition(": ")[2].removesuffix(" reads it")
    assert call.endswith("stages=[1, 2], hidden=4)")
    again = eval(call)
    assert (again.made_as.num_classes, again.block1.se.fc1.weight.value.shape[0]) == (3, 4)
    assert models.load("se-resnet8", path, stages=(1, 2), hidden=4)


def test_names_of_others_are_recognised_where_no_net_fits_whole(net, tmp_path):
    """SE without its second bias is nobody's net."""
    path = tmp_path / "x.safetensors"
    cadenes = models.NAMINGS["cadene"].family("se-resnet50")
    deep = models.create("se-resnet50", filled=False, ceil_pool=True)
    state = cadenes.state_of_theirs(deep.state_dict())
    write_tensors(path, Tensors({n: v for n, v in state.items() if "fc2.bias" not in n}, {}))
    told = refused(models.load, "se-resnet50", path, naming="timm")
    assert told.endswith("its names look like those of naming='timm-legacy'")
    state = {n: v for n, v in net.state_dict().items() if "fc2.bias" not in n}
    write_tensors(path, Tensors(state, {}))
    told = refused(models.load, SE18, path, naming="timm-legacy")
    assert told.endswith("its names look like those of naming=None")


def test_a_file_of_ours_says_which_net_it_is_of(tmp_path):
    """Its shapes do not: the stride stands elsewhere."""
    path = tmp_path / "x.safetensors"
    models.save(models.create("resnet50", filled=False, stride_first=False), path)
    told = refused(models.load, "resnet50", path)
    assert "is of resnet50 with stride_first=False, not of resnet50 with other options" in told
    models.load("resnet50", path, stride_first=False)
    models.save(models.create("se-cnn", reduction=4), path)  # which is what it has anyway
    models.load("se-cnn", path)


def test_a_file_that_says_what_it_is_of_is_not_taken_for_something_else(tmp_path):
    net = models.create("se-cnn", gate="tanh")
    about = runs.About("se-cnn", 10, (1, 28, 28), 0.5, 0.3, "sample", 0, {"gate": "tanh"})
    runs.save_weights(tmp_path / "x.safetensors", net, about)
    with pytest.raises(InputError, match=r"x\.safetensors is of se-cnn with gate='tanh'"):
        models.load("se-cnn", tmp_path / "x.safetensors")
    assert_same(models.load("se-cnn", tmp_path / "x.safetensors", gate="tanh"), net)


def test_unknown_names_are_answered_with_the_nearest(net, tmp_path):
    for call in (models.load, models.save):
        with pytest.raises(InputError, match="unknown naming 'tim': did you mean 'timm'"):
            call(*((SE18,) if call is models.load else (net,)), __file__, naming="tim")


def rename(net, path, change):
    """A file of the net's state, each name changed."""
    write_tensors(path, Tensors({change(name): v for name, v in net.state_dict().items()}, {}))


@pytest.mark.parametrize(
    "before", ["module.", "backbone.", "model.", "_orig_mod.", "module._orig_mod.", "my.own.net."]
)
@pytest.mark.parametrize("naming", [None, "timm-legacy"])
def test_what_a_net_was_wrapped_in_is_taken_off_its_names(net, tmp_path, before, naming):
    path = tmp_path / "x.safetensors"
    family = OURS if naming is None else models.NAMINGS[naming].family(SE18)
    rename(net, path, lambda name: before + family.to_theirs(name))
    assert_same(models.load(SE18, path, naming=naming, num_classes=3), net)


@pytest.mark.parametrize(
    ("head", "told"),
    [("fc.", "nothing, others with 'backbone.'"), ("head.fc.", "'backbone.', others with 'head.'")],
)
def test_a_head_under_another_name_is_found_and_told(net, tmp_path, head, told):
    path = tmp_path / "x.safetensors"
    rename(net, path, lambda n: head + n[3:] if n.startswith("fc.") else f"backbone.{n}")
    with pytest.warns(UserWarning, match=f"some names begin with {told}") as warned:
        assert_same(models.load(SE18, path, num_classes=3), net)
    (told_of,) = (w.filename for w in warned if w.category is UserWarning)
    assert told_of == __file__  # the line that loads


def test_of_a_wrapped_net_what_does_not_fit_is_told_in_the_names_of_the_file(net, tmp_path):
    path = tmp_path / "x.safetensors"
    rename(net, path, lambda n: "head.weight" if n == "fc.weight" else f"module.{n}")
    with pytest.raises(InputError, match=r"missing: fc\.weight\n  unexpected: head\.weight$"):
        models.load(SE18, path, num_classes=3)
    rename(net, path, lambda name: f"module.{name}")
    with pytest.raises(InputError, match=r"resnet34:\n  missing: layer1\.2\.conv1") as error:
        models.load("resnet34", path)
    assert "unexpected: module.layer1.0.se.fc1.bias;" in str(error.value)


def test_names_of_others_are_recognised_in_a_wrapped_net(net, tmp_path):
    path, family = tmp_path / "x.safetensors", models.NAMINGS["timm-legacy"].family(SE18)
    rename(net, path, lambda name: "module." + family.to_theirs(name))
    told = refused(models.load, SE18, path, num_classes=3)
    assert told.endswith(
        f'models.load("{SE18}", {json.dumps(str(path))}, naming="timm-legacy", num_classes=3)'
    )


def test_of_two_nets_in_a_file_none_is_chosen_in_silence(net, tmp_path):
    path, other = tmp_path / "x.safetensors", models.create(SE18, seed=9, num_classes=3)
    both = {"teacher": net, "student": other}
    state = {f"{who}.{n}": v for who, one in both.items() for n, v in one.state_dict().items()}
    write_tensors(path, Tensors(state, {}))
    with pytest.raises(InputError, match=r"a part of it fits: key='student' or key='teacher'$"):
        models.load(SE18, path, num_classes=3)
    for who, one in both.items():
        assert_same(models.load(SE18, path, key=who, num_classes=3), one)
    with pytest.raises(InputError, match="has no 'pupil': there are student, teacher"):
        models.load(SE18, path, key="pupil", num_classes=3)


def test_what_is_left_over_beside_a_wrapped_net_is_not_dropped_in_silence(net, tmp_path):
    path = tmp_path / "x.safetensors"
    state = {f"model.{name}": v for name, v in net.state_dict().items()}
    write_tensors(path, Tensors(state | {"decoder.weight": np.ones(3, np.float32)}, {}))
    with pytest.raises(InputError, match=r"unexpected: decoder\.weight\n  .* key='model'"):
        models.load(SE18, path, num_classes=3)
    assert_same(models.load(SE18, path, key="model", num_classes=3), net)


@pytest.fixture
def run(tmp_path):
    """The folder of a run with three classes, and its net."""
    net = models.create("se-cnn", seed=2, num_classes=3, gate="tanh")
    about = runs.About("se-cnn", 3, (1, 28, 28), 0.5, 0.3, "sample", 0, {"gate": "tanh"})
    (tmp_path / "runs" / "se-cnn-1").mkdir(parents=True)
    runs.save_weights(tmp_path / "runs" / "se-cnn-1" / "model.safetensors", net, about)
    return tmp_path / "runs" / "se-cnn-1", net


def test_a_run_is_loaded_by_its_folder(run):
    folder, net = run
    assert_same(models.load("se-cnn", str(folder), gate="tanh"), net)
    with pytest.raises(
        InputError, match=r"1.model\.safetensors is of se-cnn with gate='tanh', not"
    ):
        models.load("resnet8", folder)


def test_a_folder_without_weights_is_told(run, tmp_path):
    folder, _ = run
    with pytest.raises(InputError, match=r"runs is not a run, but holds runs: .*se-cnn-1$"):
        models.load("se-cnn", folder.parent)
    with pytest.raises(InputError, match=r"is not a run: there is no model\.safetensors"):
        models.load("se-cnn", tmp_path)
    (folder / "model.safetensors").rename(folder / "config.json")
    with pytest.raises(InputError, match=r"has no model\.safetensors yet"):
        models.load("se-cnn", folder)
