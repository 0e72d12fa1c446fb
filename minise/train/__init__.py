"""Training: optimisers, schedules, the loop, and what a run leaves behind."""

from minise.train.loop import Epoch, Evaluation, Step, evaluate, fit
from minise.train.optimizers import SGD, AdamW, Optimizer
from minise.train.profile import Profile, Spent
from minise.train.run import Run, load_run, next_folder
from minise.train.schedules import Schedule, cosine, one_cycle
from minise.train.warm_up import warm_up
from minise.train.weights import About, load_weights, save_weights

__all__ = [
    "SGD",
    "About",
    "AdamW",
    "Epoch",
    "Evaluation",
    "Optimizer",
    "Profile",
    "Run",
    "Schedule",
    "Spent",
    "Step",
    "cosine",
    "evaluate",
    "fit",
    "load_run",
    "load_weights",
    "next_folder",
    "one_cycle",
    "save_weights",
    "warm_up",
]
