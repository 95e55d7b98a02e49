"""Tieout's API as `tieout serve --role api` runs it, with one route more: a job is checked, stored and queued."""

import json
import signal
import sys
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from tieout.api.access import Installation, needs
from tieout.api.app import create_app
from tieout.api.bodies import Body, Line
from tieout.api.server import ApiServer, listen
from tieout.compose import open_platform
from tieout.control.accepting import accept_job
from tieout.control.access.caller import Caller
from tieout.core.logs import set_up_logs
from tieout.store.observed import observe

routes = APIRouter(prefix="/v1/bench")


class Wanted(Body):
    name: Line


@routes.post("/jobs", status_code=202)
def add(
    wanted: Wanted, caller: Annotated[Caller, Depends(needs("ops.jobs.retry"))], platform: Installation
) -> dict[str, Any]:
    job = accept_job(
        platform, caller, "bench", {"name": wanted.name}, queue="bench", action="ops.bench_asked", idempotency_key=None
    )
    return {"data": {"id": job.job_id, "status": job.status}}


if __name__ == "__main__":
    platform = open_platform()
    set_up_logs(form="json")
    observe(platform.state.engine)
    app = create_app(platform)
    app.include_router(routes)
    server = ApiServer(app, grace_s=5)
    signal.signal(signal.SIGINT, lambda *_: server.stop())
    server.run(sockets=[listen("127.0.0.1", json.loads(sys.argv[1])["port"], setting="port")])
