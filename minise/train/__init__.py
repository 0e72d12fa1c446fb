"""Training: optimisers, schedules, the loop, and what a run leaves behind."""

from minise.train.config import (
    LR,
    SCHEDULES,
    Config,
    changed,
    dataset_of,
    training_of,
)
from minise.train.evaluation import Evaluation, evaluate
from minise.train.folder import next_folder
from minise.train.history import Epoch, History, Step
from minise.train.loop import Training, fit
from minise.train.optimizers import SGD, AdamW, Optimizer
from minise.train.profile import Profile, Spent
from minise.train.recipes import RECIPES, Recipe, recipe
from minise.train.records import (
    Record,
    differing,
    find_records,
    over_seeds,
    read_record,
    without_se,
)
from minise.train.run import Every, Run, Stopped, load_checkpoint, load_run, read_every
from minise.train.schedules import Schedule, cosine, one_cycle
from minise.train.seeds import Seeds
from minise.train.tensorboard import EventFiles, check_tensorboard
from minise.train.warm_up import warm_up
from minise.train.weights import About, load_weights, metadata_of, save_weights, split

__all__ = [
    "LR",
    "RECIPES",
    "SCHEDULES",
    "SGD",
    "About",
    "AdamW",
    "Config",
    "Epoch",
    "Evaluation",
    "EventFiles",
    "Every",
    "History",
    "Optimizer",
    "Profile",
    "Recipe",
    "Record",
    "Run",
    "Schedule",
    "Seeds",
    "Spent",
    "Step",
    "Stopped",
    "Training",
    "changed",
    "check_tensorboard",
    "cosine",
    "dataset_of",
    "differing",
    "evaluate",
    "find_records",
    "fit",
    "load_checkpoint",
    "load_run",
    "load_weights",
    "metadata_of",
    "next_folder",
    "one_cycle",
    "over_seeds",
    "read_every",
    "read_record",
    "recipe",
    "save_weights",
    "split",
    "training_of",
    "warm_up",
    "without_se",
]
