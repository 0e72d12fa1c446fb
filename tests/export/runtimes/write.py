"""The nets as ONNX models, each with images and what minise makes of them: write.py FOLDER

Each is written for pixels and for normalised images; for any batch into FOLDER/any, and for one
image alone into FOLDER/1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from nets import MEAN, NETS, STD, image_shape, pixels, shaken

from minise import export

FORMS = {"pixels": export.Pixels(MEAN, STD), "normalised": None}
IMAGES = 64


def main(folder: Path) -> None:
    for batch in (None, 1):
        (folder / str(batch or "any")).mkdir(parents=True, exist_ok=True)
    for number, (name, make) in enumerate(NETS.items()):
        net, shape = shaken(make()), image_shape(name)
        x = pixels(name, IMAGES)
        normalised = FORMS["pixels"].normalised(x)
        scores = net(normalised)
        for form, as_pixels in FORMS.items():
            stem = f"{number:02}-{form}"
            images = normalised if as_pixels is None else x
            np.savez(folder / f"{stem}.npz", images=images, scores=scores)
            for batch in (None, 1):
                model = export.onnx_model(net, shape, pixels=as_pixels, batch=batch)
                path = folder / str(batch or "any") / f"{stem}.onnx"
                export.save_onnx(path, model)
                (given,), (gives,) = model.graph.input, model.graph.output
                about = {"net": name, "input": given.name, "output": gives.name, "shape": shape}
                path.with_suffix(".json").write_text(json.dumps(about))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
