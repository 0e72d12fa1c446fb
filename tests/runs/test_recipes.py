import pytest

from minise import InputError, models, runs

NAMES = ["record-8k", "record-minute", "record-best"]


def test_these_are_the_recipes():
    assert list(runs.RECIPES) == NAMES
    with pytest.raises(InputError, match="unknown recipe 'record-9k': did you mean 'record-8k'"):
        runs.recipe("record-9k")


@pytest.mark.parametrize("name", NAMES)
def test_test_images_are_looked_at_once_and_nothing_is_held_out(name):
    config = runs.recipe(name).config
    assert (config.data, config.hold_out, config.test_at_end) == ("mnist", 0, True)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_without_se_was_done_with_the_same_seeds(name):
    recipe = runs.recipe(name)
    plain = runs.without_se(recipe.config)
    assert plain == recipe.config._replace(model=recipe.config.model.removeprefix("se-"))
    assert len(recipe.wrong) == len(recipe.wrong_without_se) >= 3


def test_the_net_of_8k_has_fewer_parameters_than_that_and_15_epochs():
    config = runs.recipe("record-8k").config
    net = models.create(config.model, filled=False, **config.options)
    assert sum(p.value.size for p in net.parameters()) < 8000
    assert config.epochs <= 15


def test_accuracies_are_counted_from_the_images_that_came_out_wrong():
    recipe = runs.Recipe("", runs.Config(), wrong=(60, 50), wrong_without_se=(70, 80))
    assert recipe.accuracy.figures == {0: 0.994, 1: 0.995}
    difference = recipe.accuracy - recipe.accuracy_without_se
    assert difference.mean == pytest.approx(0.002)
    assert difference.standard_error == pytest.approx(0.001)
