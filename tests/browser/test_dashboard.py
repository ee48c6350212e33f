"""The dashboard in a real browser: it shows the campaign, follows it, and opens a finding."""

from __future__ import annotations

import threading

import pytest

from simaie.campaign import Budget, CampaignFile, Explore, Processes, run_campaign
from simaie.campaign.serve import Dashboard

CAMPAIGN = CampaignFile(
    explore=(
        Explore(targets=("first-registration-window",), schemes=("aie-rfc", "cas"), schedulers=("dpor",)),
        Explore(targets=("first-registration-window",), schemes=("aie-rfc",), seeds=2, executions=30),
    )
)


@pytest.fixture(name="dashboard")
def fixture_dashboard(tmp_path):
    """A dashboard of a campaign that is not finished."""
    run_campaign(tmp_path / "a.simaie", CAMPAIGN, lambda: Processes(1), budget=Budget(executions=1))
    with Dashboard(tmp_path / "a.simaie") as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dashboard_follows_the_campaign(chromium, dashboard, scheme):
    troubles, asked = [], []
    context = chromium.new_context(color_scheme=scheme)
    context.set_default_timeout(120_000)  # in ms: other tests may be at work
    page = context.new_page()
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(dashboard.address)
    page.wait_for_selector("h1 .violated")
    assert page.locator("section").count() == 1
    before = page.locator(".figures").inner_text()
    run_campaign(dashboard.store, None, lambda: Processes(1))
    # Not by a function in the page: its policy lets none be made there, once the first look has seen an older state.
    page.locator("main", has_text="every unit is finished").wait_for()
    assert page.locator(".figures").inner_text() != before
    assert page.locator("svg polyline").count() == 4  # executions, findings, traces and hand-offs
    page.reload()  # from here on there is one answer, and nothing new: the link stays where it is
    page.wait_for_selector("body[data-updates]")
    page.get_by_text("Walk through it").click()
    page.wait_for_selector("body[data-ready]")
    assert "first-registration-window" in page.inner_text("body")
    context.close()
    assert not troubles
    assert all(url.startswith(dashboard.address) for url in asked)
