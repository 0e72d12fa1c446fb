"""A notebook in JupyterLab, in a browser without a window: both of this machine, and no other."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat

PATIENCE = 600  # seconds, after which what is waited for is taken never to come
SETTINGS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


@contextlib.contextmanager
def jupyterlab(folder, log):
    """The address of a server whose settings, caches and notebooks are in this folder."""
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    own = {name: str(folder / ".jupyter" / part) for name, part in own.items()}
    lab = folder / ".jupyter" / "config" / "labconfig"
    lab.mkdir(parents=True)
    (lab / "page_config.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    with socket.socket() as free:  # another may have its port by then: the server takes the next
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(24)
    options = [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.expose_app_in_browser=True",
    ]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        env=os.environ | own | {"JUPYTER_TOKEN": token},
        stdout=log,
        stderr=log,
    )
    try:
        yield f"http://127.0.0.1:{_port_of(server, Path(own['JUPYTER_RUNTIME_DIR']))}", token
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _port_of(server, folder):
    """Where it listens, as it says itself once it does."""
    until = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError, ValueError):  # not there, or not yet whole
            return json.loads((folder / f"jpserver-{server.pid}.json").read_bytes())["port"]
        assert server.poll() is None, "JupyterLab does not start"
        assert time.monotonic() < until, "JupyterLab takes too long to start"
        time.sleep(0.1)


def write(path, *codes):
    """A notebook of these cells."""
    cells = [nbformat.v4.new_code_cell(code) for code in codes]
    kernel = {"name": "python3", "display_name": "Python 3"}  # else it would be asked for
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)
