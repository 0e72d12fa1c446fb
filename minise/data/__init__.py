"""Data: labelled images from files or the web, in batches for training; digits from pictures."""

from minise.data.augment import shift_and_rotate
from minise.data.batches import Augment, Batches, Images, pixel_statistics, to_input
from minise.data.dataset import Dataset, Split, hold_out, learn_from
from minise.data.digit import fit_digit, place_digit
from minise.data.idx import read_idx
from minise.data.picture import read_picture
from minise.data.sources import NAMES, load, located

__all__ = [
    "NAMES",
    "Augment",
    "Batches",
    "Dataset",
    "Images",
    "Split",
    "fit_digit",
    "hold_out",
    "learn_from",
    "load",
    "located",
    "pixel_statistics",
    "place_digit",
    "read_idx",
    "read_picture",
    "shift_and_rotate",
    "to_input",
]
