from pathlib import Path

import pytest

from minise import InputError, models, runs

NAMES = ["record-8k", "record-minute", "record-best"]
PAGE = Path(__file__).parents[2] / "tutorials" / "records.md"


def published():
    """The rows of the tables of the page on these recipes, without the names of their columns."""
    lines = PAGE.read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]


def test_these_are_the_recipes():
    assert list(runs.RECIPES) == NAMES
    assert [recipe.config.epochs for recipe in runs.RECIPES.values()] == [15, 4, 20]
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


def test_the_net_of_8k_has_fewer_parameters_than_that():
    config = runs.recipe("record-8k").config
    net = models.create(config.model, filled=False, **config.options)
    assert sum(p.value.size for p in net.parameters()) < 8000


def test_accuracies_are_counted_from_the_images_that_came_out_wrong():
    recipe = runs.Recipe("", runs.Config(), wrong=(60, 50), wrong_without_se=(70, 80))
    assert recipe.accuracy.figures == {0: 0.994, 1: 0.995}
    difference = recipe.accuracy - recipe.accuracy_without_se
    assert difference.mean == pytest.approx(0.002)
    assert difference.standard_error == pytest.approx(0.001)


@pytest.mark.parametrize("name", NAMES)
def test_results_and_settings_are_those_that_were_published(name):
    recipe, rows = runs.recipe(name), published()
    config, plain = recipe.config, runs.without_se(recipe.config)
    for model, seeds in (config.model, recipe.accuracy), (plain.model, recipe.accuracy_without_se):
        each = [f"{100 * accuracy:.2f}" for accuracy in seeds.figures.values()]
        whole = [f"`{model}`", *each, f"{100 * seeds.mean:.3f}", f"{100 * seeds.deviation:.3f}"]
        assert whole in rows
    net = models.create(config.model, filled=False)
    parameters = f"{sum(p.value.size for p in net.parameters()):,}"
    settings = [str(config.batch_size), str(config.lr), f"{config.weight_decay:.4f}"]
    assert [parameters, *settings] in [[row[1], *row[3:6]] for row in rows]
    defaults = runs.Config()
    for same in ("options", "optimizer", "schedule", "label_smoothing", "augment", "seed"):
        assert getattr(config, same) == getattr(defaults, same)
