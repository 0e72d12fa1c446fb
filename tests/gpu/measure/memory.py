"""What a training keeps of the GPU's memory, and that it does not grow."""

from gpu.measure.agreement import some_digits
from gpu.measure.findings import Findings, megabytes

from minise import backend, runs, train
from minise.backend import Memory

# One is recorded as a graph, one is not.
NETS, QUICK_NETS = ("se-resnet8", "se-resnet18"), ("cnn",)
FURTHER = 300  # steps, in epochs of so many:
EPOCH, QUICK_EPOCH = 50, 2
BATCH, QUICK_BATCH = 64, 4
SETTLED = 2  # epochs: by then batches of both sizes are recorded
ALLOWED = 2**21  # bytes: CUDA itself takes memory in such pieces


def measure(found: Findings, quick: bool) -> None:
    backend.use("cupy")
    for name in QUICK_NETS if quick else NETS:
        _grow(found, name, quick)
        backend.current().release_memory()


def _grow(found: Findings, name: str, quick: bool) -> None:
    steps, batch = (QUICK_EPOCH, QUICK_BATCH) if quick else (EPOCH, BATCH)
    further = 2 if quick else FURTHER // EPOCH  # epochs
    digits = some_digits(steps * batch - 1)  # the last batch is smaller
    epochs = SETTLED + further
    config = runs.Config(model=name, epochs=epochs, batch_size=batch)
    training = runs.training_of(config, digits)
    after: list[Memory] = []

    class Look(train.Watcher):
        def on_epoch(self, epoch: train.Epoch) -> None:
            backend.current().synchronize()
            after.append(backend.current().memory())

    training.run(watchers=[Look()])
    settled, last = after[SETTLED - 1], after[-1]
    said = [f"{what} {megabytes(getattr(last, what))}" for what in ("used", "kept", "free")]
    found.figure(f"{name}, after {epochs * steps} steps", ", ".join(said))
    grown = {
        "of minise's pool": last.used + last.kept - settled.used - settled.kept,
        "of the card": settled.free - last.free,
    }
    said = [f"{megabytes(size)} {where}" for where, size in grown.items()]
    found.figure(f"{name}, grown in the last {further * steps} steps", ", ".join(said))
    for where, size in grown.items():
        if size > ALLOWED:
            found.is_wrong(f"{name}: {megabytes(size)} {where} more after {further * steps} steps")
