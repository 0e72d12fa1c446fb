"""Training: optimisers, schedules, and the loop."""

from minise.train.evaluation import Evaluation, evaluate
from minise.train.history import Epoch, History, Step
from minise.train.loop import Training, fit
from minise.train.optimizers import SGD, AdamW, Optimizer
from minise.train.profile import Profile, Spent
from minise.train.schedules import Schedule, cosine, one_cycle
from minise.train.warm_up import warm_up
from minise.train.watcher import Watcher

__all__ = [
    "SGD",
    "AdamW",
    "Epoch",
    "Evaluation",
    "History",
    "Optimizer",
    "Profile",
    "Schedule",
    "Spent",
    "Step",
    "Training",
    "Watcher",
    "cosine",
    "evaluate",
    "fit",
    "one_cycle",
    "warm_up",
]
