"""What is stored of a notebook is all that it shows, and can be seen where nothing runs."""

import base64
import io
import os

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


@pytest.mark.notebook
@pytest.mark.skipif(os.name == "nt", reason="kernels listen at ports there")
def test_a_kernel_needs_no_port_that_another_might_take(tmp_path, monkeypatch):
    def ask(*_):
        pytest.fail("a port was asked for")

    monkeypatch.setattr("tempfile.tempdir", "/tmp")  # a longer path is none of a socket
    monkeypatch.setattr("jupyter_client.connect.LocalPortCache.find_available_port", ask)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1 + 1)")])
    notebooks.execute(notebook, tmp_path)
    assert notebook.cells[0].outputs[0].text == "2\n"


# The thread that sends what is printed takes longer than the one that says that a cell is done.
SLOWLY = """
import sys
import time

from ipykernel.iostream import IOPubThread

send = IOPubThread._really_send

def slowly(thread, message, *given, **options):
    time.sleep(5 * (b"stdout" in b"".join(message)))
    send(thread, message, *given, **options)

IOPubThread._really_send = slowly
sys.stdout.flush_timeout = 0  # waited for no longer, as after ten seconds
"""


@pytest.mark.notebook
def test_what_is_shown_late_is_stored(tmp_path):
    cells = [nbformat.v4.new_code_cell(code) for code in (SLOWLY, "print('late')")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebooks.execute(notebook, tmp_path)
    assert [output.text for output in notebook.cells[1].outputs] == ["late\n"]
