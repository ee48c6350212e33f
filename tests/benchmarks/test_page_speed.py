"""How soon a page is there, of a long trace against that of a short one. Run by hand: `make benchmark`."""

from __future__ import annotations

import shutil
import time

import pytest

import simaie
from simaie import Machine, Program, ins
from simaie.replaying.run import run
from simaie.show.picture import to_html

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra: browser)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.benchmark, pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the path")]

X = 0x100


def page_of(rounds: int) -> tuple[int, str, float]:
    """(steps, page, seconds to make it)."""
    threads = [[ins("lock_inc", X), ins("store", X + 64, 1)] * rounds] * 3
    program = Program("busy", isa="x86", threads=threads, init={X: 0})
    walk = simaie.plugins.resolve(simaie.plugins.SCHEDULERS, "random-walk")()
    trace = run(program, Machine("aie-rfc", address_bits=12), walk)
    began = time.perf_counter()
    page = to_html(trace)
    return len(trace), page, time.perf_counter() - began


def test_the_first_picture_of_ten_thousand_steps_comes_about_as_soon_as_that_of_a_hundred(tmp_path):
    """At most ten times as late, in less than 2 s, and the page is under 5 MB."""
    shown = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for rounds in (5, 480):
            steps, text, seconds = page_of(rounds)
            path = tmp_path / f"{rounds}.html"
            path.write_text(text, "utf-8")
            page = browser.new_page()
            page.goto(path.as_uri())
            page.wait_for_selector("body[data-ready]")
            shown.append(int(page.evaluate("document.body.dataset.ready")))
            print(f"\n{steps:,} steps: {len(text):,} bytes in {seconds:.2f} s, first picture after {shown[-1]} ms")
        browser.close()
    assert len(text) < 5_000_000
    assert shown[1] < 2_000
    assert shown[1] <= 10 * shown[0]
