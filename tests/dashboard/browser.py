"""A real browser on a real Streamlit server, for the end-to-end test and for the pictures of the docs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)


def missing_browser() -> str | None:
    """What to install, in one line; None when a browser is there."""
    if shutil.which("chromium") and shutil.which("chromedriver"):
        return None
    return "no browser here: apt-get install chromium chromium-driver"


@contextmanager
def serving(environment: Mapping[str, str]) -> Iterator[str]:
    """The dashboard on a free loopback port; yields its address and ends the server after."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py"),
         "--server.port", str(port), "--server.address", "127.0.0.1", "--browser.gatherUsageStats", "false"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(f"{address}/_stcore/health", server)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"streamlit ended with code {server.returncode}")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise TimeoutError("streamlit did not start within 60 s")


@contextmanager
def browsing(profile: Path, *, width: int = 1400, height: int = 1000) -> Iterator[webdriver.Chrome]:
    options = Options()
    for flag in (*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or ""
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def text_of(driver: webdriver.Chrome) -> str:
    return str(driver.execute_script("return document.body.innerText"))


def wait_for_text(driver: webdriver.Chrome, wanted: str, seconds: float = 60) -> str:
    """The page's text once `wanted` stands in it and the run has ended."""

    def is_there(browser: webdriver.Chrome) -> bool:
        running = browser.find_elements(By.CSS_SELECTOR, '[data-testid="stStatusWidget"]')
        return wanted in text_of(browser) and not any(element.is_displayed() for element in running)

    WebDriverWait(driver, seconds, ignored_exceptions=(Exception,)).until(is_there, f"{wanted!r} did not appear")
    return text_of(driver)


def press(driver: webdriver.Chrome, xpath: str, seconds: float = 60) -> None:
    """Click what `xpath` finds, once it is there: a page's text comes before its buttons."""
    is_there = expected_conditions.element_to_be_clickable((By.XPATH, xpath))
    WebDriverWait(driver, seconds, ignored_exceptions=(StaleElementReferenceException,)).until(is_there).click()


def whole_page(driver: webdriver.Chrome, file: Path, *, width: int = 1400) -> None:
    """A picture of the page from top to bottom: the window is made as tall as what scrolls in it."""
    script = (
        "const main = document.querySelector('[data-testid=\"stMain\"]');"
        "return main ? main.scrollHeight : document.body.scrollHeight"
    )
    height = 1000
    for _ in range(4):  # charts and tables grow once they are in sight
        driver.set_window_size(width, height)
        time.sleep(1.0)
        needed = int(driver.execute_script(script)) + 160
        if needed <= height:
            break
        height = needed
    driver.execute_script("document.querySelector('[data-testid=\"stMain\"]').scrollTo(0, 0)")
    driver.save_screenshot(str(file))
