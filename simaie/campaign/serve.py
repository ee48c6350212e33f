"""The dashboard of a campaign: a page on this machine that follows the store while shards are added to it.

It only reads. It listens on 127.0.0.1 and answers no request for another host, so that no site can reach it through the
reader's browser. All text is escaped where the page is made, and the browser is told to load nothing from elsewhere.
The store is opened anew for each answer, so that the dashboard may begin before the campaign and outlive it.
"""

from __future__ import annotations

import json
import tempfile
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from simaie.campaign.page import STYLE, page_body
from simaie.campaign.status import status_of
from simaie.campaign.store import Store
from simaie.campaign.summary import Status
from simaie.campaign.witnesses import find, witness_of
from simaie.errors import SimaieError
from simaie.replaying.recorded import recorded

__all__ = ["Dashboard"]

#: The time between two looks at the store, in seconds.
_LOOK_SECONDS = 1.0
#: The time after which a connection without news says that it is still there, in seconds.
_BEAT_SECONDS = 15.0
_HTML, _SCRIPT = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
#: The page of a finding has its script in it, and its data come from the store, whose origin is not known.
_WALK_POLICY = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"

_CONTENT = "[content]"
_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>simaie campaign</title><style>{STYLE}</style></head>
<body><main>{_CONTENT}</main><script src="/live.js"></script></body></html>
"""
_LIVE = """"use strict";
const main = document.querySelector("main");
const events = new EventSource("/events");
let asked = 0;
events.addEventListener("news", async () => {
  const mine = ++asked;
  // A server that has ended, or a page that is left, has no answer.
  const answer = await fetch("/body").catch(() => null);
  const body = answer?.ok ? await answer.text().catch(() => null) : null;
  if (body !== null && mine === asked) {  // an older answer may come later
    main.innerHTML = body;
    document.body.dataset.updates = Number(document.body.dataset.updates || 0) + 1;
  }
});
"""


class Dashboard(ThreadingHTTPServer):
    """The server of the dashboard.

    Args:
        store: The store.
        port: The port; 0 for one that is free.

    Attributes:
        store: The store.
        address: Where the dashboard is.
    """

    daemon_threads = True

    def __init__(self, store: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store = store
        self.address = f"http://127.0.0.1:{self.server_address[1]}/"

    def status(self) -> Status:
        """Return the state of the campaign now."""
        with Store(self.store, read_only=True) as store:
            return status_of(store)

    def news(self) -> tuple[object, ...]:
        """Return what changes whenever there is something new to show."""
        with Store(self.store, read_only=True) as store:
            shards = store.rows("SELECT total(shards), total(executions), count(*) FROM units")
            return (*shards, *store.rows("SELECT number, ending FROM runs"))

    def walk(self, name: str) -> str:
        """Return the page of a finding's shortest execution, as it was recorded: no code of guests runs."""
        with Store(self.store, read_only=True) as store, tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "witness.json"
            file.write_bytes(witness_of(store, find(status_of(store), name)))
            return recorded(file).to_html()


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Dashboard
    server_version, sys_version = "simaie", ""

    def do_GET(self) -> None:
        """Answer a request for a page, the script, or news."""
        port = self.server.server_address[1]
        if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            self.send_error(HTTPStatus.FORBIDDEN, "this dashboard is for this machine only")
            return
        try:
            self._answer(self.path)
        except SimaieError as error:
            self._send(str(error), "text/plain; charset=utf-8", HTTPStatus.NOT_FOUND)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader has left

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def _answer(self, path: str) -> None:
        if path == "/":
            self._send(_PAGE.replace(_CONTENT, self._body()), _HTML)
        elif path == "/body":
            self._send(self._body(), _HTML)
        elif path == "/live.js":
            self._send(_LIVE, _SCRIPT)
        elif path == "/status.json":
            self._send(json.dumps(self.server.status().as_dict()), "application/json")
        elif path == "/events":
            self._follow()
        elif path.startswith("/finding/"):
            self._send(self.server.walk(path.removeprefix("/finding/")), _HTML, policy=_WALK_POLICY)
        else:
            self._send("there is no such page", "text/plain; charset=utf-8", HTTPStatus.NOT_FOUND)

    def _body(self) -> str:
        return page_body(self.server.status(), walks="/finding/")

    def _send(self, text: str, kind: str, code: HTTPStatus = HTTPStatus.OK, *, policy: str = _POLICY) -> None:
        data = text.encode("utf-8", "backslashreplace")
        self._begin(kind, code, policy)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _begin(self, kind: str, code: HTTPStatus, policy: str = _POLICY) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")

    def _follow(self) -> None:
        """Send an event at once, as the page may be older than the connection, and whenever there is news."""
        self._begin("text/event-stream", HTTPStatus.OK)
        self.end_headers()
        before: object = None
        beat = 0.0
        while True:
            now = self.server.news()
            if now != before:
                self._tell(b"event: news\ndata: {}\n\n")
                before, beat = now, time.monotonic()
            elif time.monotonic() - beat > _BEAT_SECONDS:
                self._tell(b": nothing new\n\n")
                beat = time.monotonic()
            time.sleep(_LOOK_SECONDS)

    def _tell(self, line: bytes) -> None:
        self.wfile.write(line)
        self.wfile.flush()
