"""A watcher of a training made of functions, for a test that wants to do something on the way."""

from minise.train import Watcher


class Calling(Watcher):
    def __init__(self, on_step=lambda step: None, on_epoch=lambda epoch: None):
        self.on_step, self.on_epoch = on_step, on_epoch
