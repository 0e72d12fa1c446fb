"""What the SE blocks of a net learn to do, over several seeds: a table. Not a test.

    python tests/inspect/first_net.py se-cnn3 se-cnn --seeds 0 1 2 3

Each net is trained as `minise train` does it, and looked at with the test images of the sample.
`between classes` is the deviation of a channel's mean gate over the classes: its mean over the
channels, and the largest. Of the seeds 0 to 7, with one thread:

    net      test             last block       between classes, mean   largest   dead in it
    se-cnn   98.43 ± 0.28 %   0.00 to 0.90     0.000 to 0.042          0.127     9 of 32
    se-cnn3  98.39 ± 0.15 %   0.02 to 1.00     0.083 to 0.100          0.250     0 of 160

and in five of them both hidden units of se-cnn's first block are dead. A step of 64 images took
3.04 and 3.03 ms (two threads, in turns, nothing beside them).
"""

from __future__ import annotations

import argparse

import numpy as np

from minise import data, inspect, runs


def main(models: list[str], seeds: list[int]) -> None:
    digits = data.load("sample")
    print("net       seed    test  block     gates       between classes  dead")
    for model in models:
        accuracies = {}
        for seed in seeds:
            config = runs.Config(model=model, seed=seed, test_at_end=True)
            training = runs.training_of(config, digits)
            (*_, last) = training.run()
            accuracies[seed] = last.test_accuracy or 0.0
            x = data.to_input(digits.test.images, training.mean, training.std)
            dead = inspect.dead_units(training.net, x)
            for block, s in inspect.gates(training.net, x).items():
                between = inspect.by_class(s, digits.test.labels).mean.std(axis=0)  # (C,)
                units = dead.get(block, np.zeros(0, bool))
                print(
                    f"{model:9} {seed:4}  {accuracies[seed]:.2%}  {block:9} "
                    f"{s.min():.2f} to {s.max():.2f}  ± {between.mean():.3f}  {between.max():.3f}"
                    f"   {units.sum()} of {len(units)}",
                    flush=True,
                )
        over = runs.Seeds(accuracies)
        print(f"{model}: {over.mean:.2%}, one run deviates by {over.deviation:.2%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(8)))
    main(**vars(parser.parse_args()))
