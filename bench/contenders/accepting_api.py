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
from tieout.control.access.caller import Caller
from tieout.core.logs import set_up_logs
from tieout.store.observed import observe
from tieout.work.jobs.actions import submit
from tieout.work.jobs.rules import JobRequest

routes = APIRouter(prefix="/v1/bench")


class Wanted(Body):
    name: Line


@routes.post("/jobs", status_code=202)
def add(
    wanted: Wanted, caller: Annotated[Caller, Depends(needs("ops.jobs.retry"))], platform: Installation
) -> dict[str, Any]:
    asked = JobRequest("bench", {"name": wanted.name}, queue="bench", created_by=caller.actor.name)
    now, random_bytes = platform.now(), platform.random_bytes
    job = platform.of(caller.tenant).write(
        lambda connection: submit(
            connection, caller.tenant, asked, now=now, random_bytes=random_bytes, capacity=10_000_000
        )
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
