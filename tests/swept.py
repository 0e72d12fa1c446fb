"""Points as `minise sweep` leaves them, without their training."""

import json

from minise import runs, sweep, train

IMAGES = "0123456789abcdef"
MACHINE = {"processor": "an abacus", "load": 0.5, "numpy": "2.0", "sources": "aa", "features": "x"}
GATES = {"block1.se": {"mean": 0.5, "between_classes": 0.0625, "hidden": 4, "dead": 1}}


def leave_point(parent, accuracy=None, *, epochs_done=2, left=(), **settings):
    """A finished point where it has an accuracy; `left` has other files and what is in them."""
    config = runs.Config(**{"model": "se-resnet8", "epochs": 2, "test_at_end": True, **settings})
    folder = parent / sweep.Point(config, IMAGES).name
    folder.mkdir(parents=True)
    starts = [{"environment": MACHINE}]
    write(folder / "config.json", {"config": config._asdict(), "starts": starts})
    epochs = [
        train.Epoch(n, 0.5 / n, 0.75, None, None, 0.05, 1.5, 8000.0)._asdict()
        for n in range(1, epochs_done + 1)
    ]
    if accuracy is not None:
        epochs[-1] |= {"test_loss": 0.125, "test_accuracy": accuracy}
        result = {
            "config": config._asdict(),
            "images": IMAGES,
            "test_accuracy": accuracy,
            "test_loss": 0.125,
            "test_images": 10000,
            "train_accuracy": 0.75,
            "parameters": 80582,
            "seconds": 3.0,
            "gates": GATES if "se" in config.model else {},
            "finished": "2026-11-30T00:00:00+00:00",
            "machine": MACHINE,
        }
        write(folder / "result.json", result)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(e) + "\n" for e in epochs))
    for name, content in dict(left).items():
        write(folder / name, content)
    return folder


def write(path, content):
    path.write_text(json.dumps(content))
