"""A real browser on a real server: every page opens, no error shows, and new data moves the page by itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import make_snapshot
import pytest
from browser import browsing, missing_browser, press, serving, text_of, wait_for_text
from conftest import CONFIG, SECOND, TITLES, publish_both
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.skipif(missing_browser() is not None, reason=str(missing_browser()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    (folder / "uptake.yaml").write_text(CONFIG)
    publish_both(folder / "state" / "published")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    environment = {
        "UPTAKE_CONFIG": str(folder / "uptake.yaml"),
        "UPTAKE_DASHBOARD_MODE": "demo",
        "UPTAKE_DASHBOARD_REFRESH_SECONDS": "1",
        "UPTAKE_DATA_DOCS_URL": "http://127.0.0.1:8502",
    }
    with serving(environment) as address:
        yield address


@pytest.fixture(scope="module")
def chrome(folder: Path) -> Iterator[Chrome]:
    with browsing(folder / "profile") as driver:
        driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder / "downloads")}
        )
        yield driver


def errors(chrome: Chrome) -> list[str]:
    boxes = chrome.find_elements(By.CSS_SELECTOR, '[data-testid="stException"], [data-testid="stErrorElement"]')
    return [box.text for box in boxes]


def test_every_page_opens_from_its_address(chrome: Chrome, address: str) -> None:
    for page, title in TITLES.items():
        chrome.get(f"{address}/{'' if page == 'home' else page}")
        text = wait_for_text(chrome, "What to do next")
        assert title in text
        assert "Simulated district." in text
        assert "Apr 10, 2026" in text
        assert not errors(chrome)
        WebDriverWait(chrome, 60).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, "canvas, svg.marks"))


def test_a_choice_goes_into_the_address_and_comes_back_from_it(chrome: Chrome, address: str) -> None:
    chrome.get(f"{address}/adoption?where=Lincoln+Elementary&tool=MathPath")
    wait_for_text(chrome, "Classes of Lincoln Elementary")
    press(chrome, "//button[normalize-space()='Over time']")
    wait_for_text(chrome, "week by week, Lincoln Elementary")
    there = chrome.current_url
    assert "look=Over" in there and "where=Lincoln" in there and "tool=MathPath" in there
    chrome.get("about:blank")
    chrome.get(there)
    wait_for_text(chrome, "week by week, Lincoln Elementary")
    assert not errors(chrome)


def test_the_district_stays_when_the_page_changes(chrome: Chrome, address: str) -> None:
    chrome.get(f"{address}/adoption?district=Open+data")
    wait_for_text(chrome, "Google Classroom was used most")
    press(chrome, "//a[contains(., 'Equity')]")
    text = wait_for_text(chrome, "districts say what share of their students")
    assert "Simulated district." not in text
    assert not errors(chrome)


def test_a_number_opens_its_definition(chrome: Chrome, address: str) -> None:
    chrome.get(f"{address}/value")
    wait_for_text(chrome, "What to do next")
    buttons = chrome.find_elements(By.CSS_SELECTOR, '[data-testid="stPopoverButton"]')
    [button for button in buttons if button.is_displayed()][1].click()
    text = wait_for_text(chrome, "Price of the seats that no student used.")
    assert "Sources" in text and "Registers: data through Apr 10, 2026, up to date" in text


def test_a_download_holds_what_is_shown(chrome: Chrome, address: str, folder: Path) -> None:
    chrome.get(f"{address}/equity")
    wait_for_text(chrome, "What to do next")
    press(chrome, "//button[contains(., 'Download this table')]")
    saved = folder / "downloads" / "simulated-testville-equity-through-2026-04-10.csv"
    WebDriverWait(chrome, 20).until(lambda _: saved.exists() and saved.stat().st_size)
    with saved.open(encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    assert rows[0]["Group"] == "English learners"
    assert rows[-1]["Its share"] == "hidden"


def test_new_data_moves_the_page_by_itself(chrome: Chrome, address: str, folder: Path) -> None:
    chrome.get(f"{address}/value")
    wait_for_text(chrome, "What to do next")
    assert "Apr 17, 2026" not in text_of(chrome)
    make_snapshot.publish(folder / "state" / "published", SECOND, through=date(2026, 4, 17))
    text = wait_for_text(chrome, "data through Apr 17, 2026")
    assert TITLES["value"] in text
    assert not errors(chrome)
    make_snapshot.reject(folder / "state" / "published")
    wait_for_text(chrome, "You are looking at the last good data, through Apr 17, 2026")
    (folder / "state" / "published" / "testville" / "rejected.json").unlink()
    WebDriverWait(chrome, 30).until(lambda driver: "last good data" not in text_of(driver))
