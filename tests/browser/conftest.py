"""JupyterLab servers with folders of their own, and pages of a headless Chromium, without the network."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route, sync_playwright

from grader.lessons import COURSE_ROOT, read_lesson
from grader.release import execute_solutions, stage
from grader.spec import load_lesson
from utils.checkset import SUFFIX

LAPTOP = {"width": 1280, "height": 800}
SCREENSHOTS = COURSE_ROOT / "build" / "screenshots"
# All cells are in the page, not only those in view.
SETTINGS = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}
QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
DARK = {"@jupyterlab/apputils-extension:themes": {"theme": "JupyterLab Dark"}}
START_SECONDS = 60
EXECUTION_MS = 60_000


@dataclass(frozen=True)
class Lab:
    """A running server: where it is, and the folder that it shows."""

    url: str
    token: str
    folder: Path

    def address(self, path: str) -> str:
        return f"{self.url}{path}?token={self.token}&reset"


@pytest.fixture
def start_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Starts JupyterLab in a folder; learner=True with the settings of `make lab`, dark=True in the dark theme."""
    servers: list[subprocess.Popen] = []

    def start(folder: Path, learner: bool = False, dark: bool = False) -> Lab:
        home = tmp_path / f"jupyter{len(servers)}"
        settings = SETTINGS | QUIET | (DARK if dark else {})
        overrides = home / "config" / "labconfig" / "default_setting_overrides.json"
        overrides.parent.mkdir(parents=True)
        overrides.write_text(json.dumps(settings), encoding="utf-8")
        port, token = _free_port(), secrets.token_hex(16)
        kinds = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
        env = os.environ | {f"JUPYTER_{kind}_DIR": str(home / name) for kind, name in kinds.items()}
        env |= {f"JUPYTERLAB_{kind}_DIR": str(home / kind.lower()) for kind in ("SETTINGS", "WORKSPACES")}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env["JUPYTER_CONFIG_PATH"] = str(COURSE_ROOT / "utils" / "lab") if learner else ""
        command = [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
            "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--expose-app-in-browser",
        ]  # fmt: skip
        if hasattr(os, "getuid") and os.getuid() == 0:
            command.append("--allow-root")
        log = home / "log.txt"
        with log.open("w") as file:
            servers.append(subprocess.Popen(command, cwd=folder, env=env, stdout=file, stderr=file))
        lab = Lab(f"http://127.0.0.1:{port}", token, folder)
        _wait_for(lab, servers[-1], log)
        return lab

    yield start
    for server in servers:
        server.terminate()
    for server in servers:
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(lab: Lab, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(lab.address("/api/status"), timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium: Playwright's own browsers are a download of their own."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.fail("There is no Chromium: `make test` installs it, on Debian and Ubuntu.")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page as large as a laptop's screen. Whatever it asks of the web is refused, and noted in `page.refused`."""
    context = chromium.new_context(viewport=LAPTOP)
    page = context.new_page()
    page.refused, page.complaints = [], []

    def local_only(route: Route) -> None:
        if route.request.url.startswith(("http://127.0.0.1", "file:", "data:", "blob:")):
            route.continue_()
        else:
            page.refused.append(route.request.url)
            route.abort()

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            page.complaints.append(message.text)

    context.route("**/*", local_only)
    page.on("console", note)
    yield page
    context.close()


def execute_lesson(name: str, root: Path) -> None:
    """Executes a lesson with its solutions in, as `make release` does, below another folder than the course's."""
    data = (COURSE_ROOT / "notebooks" / name / f"{name}{SUFFIX}").read_text(encoding="utf-8")
    execute_solutions(stage(read_lesson(name), load_lesson(name)), data, root / "build" / "solutions" / name)


class Notebook:
    """A notebook that is open in JupyterLab.

    Args:
        page: where to open it.
        lab: the server.
        path: the notebook's path in the server's folder.
    """

    def __init__(self, page: Page, lab: Lab, path: str) -> None:
        self.page = page
        page.goto(lab.address(f"/lab/tree/{path}"))
        self.wait_until_idle()

    def cell(self, text: str) -> Locator:
        """The cell whose source begins with `text`, scrolled into view."""
        index = self.page.evaluate(
            """text => {
                const content = window.jupyterapp.shell.currentWidget.content;
                return content.widgets.findIndex(cell => cell.model.sharedModel.source.startsWith(text));
            }""",
            text,
        )
        assert index >= 0, f"no cell begins with {text!r}"
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')

    def type(self, cell: Locator, source: str) -> None:
        """Replaces what stands in a cell."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def run(self, cell: Locator) -> Locator:
        """Runs a cell; returns its outputs."""
        cell.locator(".cm-content").click()
        return self._execute("notebook:run-cell", cell)

    def run_with_all_above(self, cell: Locator) -> Locator:
        cell.locator(".cm-content").click()
        self.command("notebook:run-all-above")
        return self.run(cell)

    def run_all(self) -> None:
        self.command("notebook:run-all-cells")
        self.wait_until_idle()

    def too_wide(self) -> list[str]:
        """The outputs and texts that do not fit into their place, as they begin."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll('.jp-OutputArea-output, .jp-RenderedMarkdown')]
                .filter(part => part.scrollWidth > part.clientWidth + 1)
                .map(part => part.innerText.slice(0, 80))"""
        )

    def _execute(self, command: str, cell: Locator) -> Locator:
        self.command(command)
        cell.locator(".jp-InputArea-prompt", has_text="]:").first.wait_for()
        self.page.wait_for_function(
            "element => /^\\[\\d+\\]:$/.test(element.querySelector('.jp-InputArea-prompt').innerText.trim())",
            arg=cell.element_handle(), timeout=EXECUTION_MS,
        )  # fmt: skip
        self.wait_until_idle()
        return cell.locator(".jp-OutputArea-output")

    def command(self, name: str) -> None:
        """Carries out one of JupyterLab's commands."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def wait_until_idle(self) -> None:
        """Waits for the kernel: first to be there, then to have nothing to do."""
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=EXECUTION_MS)
        self.page.evaluate(
            """async () => {
                const session = window.jupyterapp.shell.currentWidget.context.sessionContext;
                await session.ready;
                await session.session.kernel.info;
            }"""
        )
        self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for(timeout=EXECUTION_MS)

    def reload(self) -> None:
        """Opens the file anew, as it is on the disk now."""
        self.page.reload()
        self.wait_until_idle()


@pytest.fixture
def open_notebook(page: Page) -> Callable[[Lab, str], Notebook]:
    """Opens a notebook in the page."""
    return lambda lab, path: Notebook(page, lab, path)


@pytest.fixture
def screenshot(page: Page) -> Callable[[str], None]:
    """Keeps a picture of the page in build/screenshots/."""

    def take(name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return take
