"""What monitoring sees of the operators' pages."""

from __future__ import annotations

import time

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "yihu_console_requests", "Pages asked for, by page and status.", ["page", "status"]
)
SECONDS = Histogram(
    "yihu_console_request_seconds",
    "How long a page took; live connections, which stay, are left out.",
    ["page"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
LIVE = "text/event-stream"


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    began = time.monotonic()
    resource = request.match_info.route.resource
    page = resource.canonical if resource else "none"  # as it is listed, without anybody's number
    response: web.StreamResponse | None = None
    try:
        response = await handler(request)
        return response
    except web.HTTPException as error:
        response = error
        raise
    finally:
        status = response.status if response is not None else 500
        REQUESTS.labels(page, status).inc()
        if response is None or response.content_type != LIVE:
            SECONDS.labels(page).observe(time.monotonic() - began)
