"""What a page from elsewhere, or a study from elsewhere, could make of the dashboard."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest


@pytest.mark.parametrize(("host", "status"), [("localhost", 101), ("127.0.0.1", 101), ("elsewhere.example", 403)])
def test_only_this_machines_names_get_a_session(server: str, host: str, status: int) -> None:
    where = urlsplit(server)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    headers = {"Host": f"{host}:{where.port}", "Origin": f"http://{host}:{where.port}", "Connection": "Upgrade"}
    headers |= {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "c2xpbXZpei1zbGltdml6IQ=="}
    connection.request("GET", "/_stcore/stream", headers=headers)
    answer = connection.getresponse()
    connection.close()
    assert answer.status == status
