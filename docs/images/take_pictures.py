"""Pictures of the pages for the README: `python docs/images/take_pictures.py`, on what UPTAKE_CONFIG has published.

Needs a browser: apt-get install chromium chromium-driver.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "dashboard"))

from browser import browsing, missing_browser, serving, wait_for_text, whole_page  # noqa: E402

PAGES = {
    "home": "What needs a decision now?",
    "adoption": "Which tools are our students using",
    "equity": "Who is being left out?",
    "value": "What do we get for what we pay?",
    "value_effect": "What do we get for what we pay?",
    "quality": "Can we trust these numbers?",
}
ADDRESSES = {"home": "", "value_effect": "value?see=Cost+and+effect"}


def main() -> int:
    if missing := missing_browser():
        print(missing, file=sys.stderr)
        return 1
    environment = {
        "UPTAKE_CONFIG": str(Path(os.environ.get("UPTAKE_CONFIG", "demo/uptake.yaml")).resolve()),
        "UPTAKE_DASHBOARD_MODE": "demo",
        "UPTAKE_DATA_DOCS_URL": "http://127.0.0.1:8502",
    }
    with tempfile.TemporaryDirectory() as profile, serving(environment) as address, browsing(Path(profile)) as driver:
        for page, title in PAGES.items():
            driver.get(f"{address}/{ADDRESSES.get(page, page)}")
            wait_for_text(driver, title)
            wait_for_text(driver, "What to do next")
            time.sleep(2)  # the picture is drawn after the words
            whole_page(driver, HERE / f"{page}.png")
            print(f"{page}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
