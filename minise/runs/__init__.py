"""What a run is configured with, and what it leaves: a folder to resume, read and compare."""

from minise.runs.comparisons import Comparison, compare, without_se
from minise.runs.config import LR, SCHEDULES, Config, changed, dataset_of, training_of
from minise.runs.folder import next_folder
from minise.runs.recipes import RECIPES, Recipe, recipe
from minise.runs.records import (
    Record,
    find_records,
    over_seeds,
    read_record,
)
from minise.runs.results import as_csv, as_json, as_rows, mixed
from minise.runs.run import Every, Run, Stopped, load_checkpoint, load_run, read_every
from minise.runs.seeds import Seeds
from minise.runs.tensorboard import EventFiles, check_tensorboard
from minise.runs.weights import About, load_weights, metadata_of, save_weights, split

__all__ = [
    "LR",
    "RECIPES",
    "SCHEDULES",
    "About",
    "Comparison",
    "Config",
    "EventFiles",
    "Every",
    "Recipe",
    "Record",
    "Run",
    "Seeds",
    "Stopped",
    "as_csv",
    "as_json",
    "as_rows",
    "changed",
    "check_tensorboard",
    "compare",
    "dataset_of",
    "find_records",
    "load_checkpoint",
    "load_run",
    "load_weights",
    "metadata_of",
    "mixed",
    "next_folder",
    "over_seeds",
    "read_every",
    "read_record",
    "recipe",
    "save_weights",
    "split",
    "training_of",
    "without_se",
]
