"""What is stored of a notebook can be seen where nothing runs."""

import base64
import io

import nbformat
import notebooks
import pytest
from PIL import Image

CODE = """
import numpy as np
import minise
images = np.random.default_rng(0).integers(0, 256, (20, 1, 28, 28), np.uint8)
minise.play(minise.models.create("se-cnn", seed=0), images)
"""


@pytest.mark.notebook
def test_of_a_widget_its_picture_is(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
    notebooks.execute(notebook, tmp_path)
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "execute_result"
    assert set(output.data) == {"image/png", "text/plain"}
    assert Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).format == "PNG"
    assert output.data["text/plain"].startswith("minise.play: image 0, which the net takes for ")
    assert "widgets" not in notebook.metadata
    nbformat.validate(notebook)
