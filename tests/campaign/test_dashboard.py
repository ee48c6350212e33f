"""The dashboard: it reads, answers this machine only, and runs no code of guests."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from simaie.campaign.serve import Dashboard

from .made import run_here


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    run_here(tmp_path / "a.simaie", executions=200)
    with Dashboard(tmp_path / "a.simaie") as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def asked(dashboard: Dashboard, path: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    port = dashboard.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), dict(answer.getheaders())
    connection.close()
    return found


def test_the_page_has_the_campaign_and_loads_nothing_from_elsewhere(dashboard: Dashboard) -> None:
    status, page, headers = asked(dashboard, "/")
    (finding,) = dashboard.status().findings
    assert status == 200
    assert f'href="/finding/{finding.finding}"' in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert json.loads(asked(dashboard, "/status.json")[1])["findings"][0]["finding"] == finding.finding


def test_a_finding_has_its_walk_in_a_sandbox(dashboard: Dashboard) -> None:
    (finding,) = dashboard.status().findings
    status, page, headers = asked(dashboard, f"/finding/{finding.finding}")
    assert status == 200
    assert "first-registration-window" in page
    assert headers["Content-Security-Policy"].startswith("sandbox allow-scripts")


def test_it_listens_on_this_machine_and_for_no_other_host(dashboard: Dashboard) -> None:
    assert dashboard.server_address[0] == "127.0.0.1"
    assert asked(dashboard, "/", Host="evil.example")[0] == 403
    assert asked(dashboard, "/", Host=f"localhost:{dashboard.server_address[1]}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_only_reads(dashboard: Dashboard, method: str) -> None:
    assert asked(dashboard, "/", method)[0] == 501


@pytest.mark.parametrize("path", ["/none", "/finding/zz", "/finding/", "/../etc/passwd", "/body/x"])
def test_what_does_not_exist_is_not_found(dashboard: Dashboard, path: str) -> None:
    assert asked(dashboard, path)[0] == 404


def test_news_arrives_when_shards_do(dashboard: Dashboard) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", dashboard.server_address[1], timeout=30)
    connection.request("GET", "/events")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"] == "text/event-stream"
    event = [b"event: news\n", b"data: {}\n", b"\n"]
    assert [answer.readline() for _ in event] == event  # at once: shards may have come since the page was made
    run_here(dashboard.store, None)
    assert [answer.readline() for _ in event] == event
    connection.close()
