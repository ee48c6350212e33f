"""A Chromium to look at pages with, and a JupyterLab on a free port. Skipped where they are not installed."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_SECONDS = 60
_SETTINGS = Path("@jupyterlab/apputils-extension")


def require(**extras: str) -> None:
    """Skip unless these modules are there, each of an extra."""
    absent = [f"{name} (extra: {extra})" for name, extra in extras.items() if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")


@pytest.fixture(scope="session", name="lab")
def fixture_lab(tmp_path_factory):
    """(address, folder of the notebooks, folder of the settings) of a JupyterLab without a token."""
    require(jupyterlab="jupyter", anywidget="notebook")
    home = tmp_path_factory.mktemp("jupyter")
    folder, settings = home / "notebooks", home / "settings"
    folder.mkdir()
    setting(settings, "notification", {"fetchNews": "false", "checkForUpdates": False})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
              "IPYTHONDIR": "ipython", "JUPYTERLAB_SETTINGS_DIR": "settings",
              "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}  # fmt: skip
    options = [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1",
               "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True",
               "--no-browser", "--allow-root"]  # fmt: skip
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], stdout=log, stderr=log,
            env=os.environ | {key: str(home / name) for key, name in places.items()},
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/status", server, home / "log")
            yield f"http://127.0.0.1:{port}", folder, settings
        finally:
            server.terminate()
            server.wait(PATIENCE_SECONDS)


def setting(settings: Path, name: str, values: dict) -> None:
    path = settings / _SETTINGS / f"{name}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), "utf-8")


def _wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)  # between two questions whether it is there yet
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="module", name="chromium")  # while it runs, no other test can have an event loop
def fixture_chromium():
    if CHROMIUM is None:
        pytest.skip("there is no chromium on the path (Debian: chromium)")
    require(playwright="browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(name="notebook")
def fixture_notebook(chromium, lab):
    """Opens a notebook of the given cells, runs all of them and returns the page; nothing may go wrong there."""
    address, folder, settings = lab
    contexts, troubles = [], []

    def open_notebook(name: str, *cells: str, stored: Path | None = None, theme: str = "JupyterLab Light"):
        """stored: a notebook that is opened as it is, in place of one of these cells, which are run."""
        setting(settings, "themes", {"theme": theme})
        code = [{"cell_type": "code", "id": f"c{i}", "metadata": {}, "execution_count": None, "outputs": [],
                 "source": source} for i, source in enumerate(cells)]  # fmt: skip
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        text = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": code})
        (folder / f"{name}.ipynb").write_text(stored.read_text("utf-8") if stored else text, "utf-8")
        context = chromium.new_context(viewport={"width": 1250, "height": 950})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(f"{address}/lab/workspaces/{name}/tree/{name}.ipynb")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        if stored:
            return page
        # Until the kernel is there, running does nothing.
        page.wait_for_function("jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")
        page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
        return page

    yield open_notebook
    for context in contexts:
        context.close()
    assert not troubles
