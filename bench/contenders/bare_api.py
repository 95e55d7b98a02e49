"""The least that FastAPI needs to read one row, and to insert one: no sign-in, no limits, no metrics, no log."""

import json
import sys
import uuid
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import insert, select

from tieout.store.state import connect_state
from tieout.store.tables import job


class Wanted(BaseModel):
    name: str


def create(url):
    state = connect_state(url).of("*")
    app = FastAPI()

    @app.get("/jobs/{job_id}")
    def show(job_id: str):
        with state.reading() as connection:
            row = connection.execute(select(job).where(job.c.tenant == "superadmin", job.c.job_id == job_id)).one()
        return {"data": {**row._asdict(), **{name: str(getattr(row, name)) for name in row._fields if "_us" in name}}}

    @app.post("/jobs", status_code=202)
    def add(wanted: Wanted):
        job_id = str(uuid.uuid4())
        row = {"job_id": job_id, "tenant": "superadmin", "queue": "bare", "kind": wanted.name, "payload": {}}
        row |= {"priority": 5, "status": "done", "attempts": 0, "max_attempts": 5, "losses": 0}

        def put(connection):
            at = datetime.now(UTC)
            connection.execute(insert(job).values(**row, is_cancel_asked=False, due_us=at, created_us=at))

        state.write(put)
        return {"data": {"id": job_id}}

    return app


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    uvicorn.run(create(settings["state"]), port=settings["port"], log_level="error", access_log=False)
