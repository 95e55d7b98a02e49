"""Long jobs whose steps are kept by DBOS, so that an attempt begins where the last one stopped.

Who does a job is decided by its claim alone; DBOS keeps what each step returned. A workflow of DBOS is named after
its job and stays unfinished while the job may be tried again: it is left by an exception that DBOS does not record, and
continued from the queue of the slot that claims the job next. DBOS's own recovery finds nothing to do, for each
process has an executor id of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Lock
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event, select

from tieout.core.logs import log_context
from tieout.core.tracing import continued
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import BUSY_TIMEOUT_S, State, StateUnavailable
from tieout.store.tables import job as job_table
from tieout.work.jobs import claims
from tieout.work.jobs.batches import Bench, count_ended, end_attempt
from tieout.work.jobs.kinds import InSteps
from tieout.work.jobs.rules import Job

STEPS_FILE = "steps.db"
SCHEMA = "tieout_steps"
VERSION = "1"
"""Of what a workflow of ours is, not of Tieout: a job that one release began is ended by the next."""

POLL_S = 0.1
BEGIN_WITHIN_S = 60.0
_WORKFLOW = "tieout.job"

Answer = TypeVar("Answer")


class JobTookTooLong(Exception):
    """The job was held for longer than its kind allows."""


class NeverBegan(Exception):
    """The workflow of a job did not begin in time."""


class _Left(BaseException):
    """A workflow is left as it stands; no Exception, for those DBOS records as its end."""


class _Canceled(_Left):
    """Somebody asked for the job to be cancelled."""


class _Lost(_Left):
    """The job is no longer this worker's."""


class _Stopping(_Left):
    """The worker stops, and the job goes back."""


class _Failed(_Left):
    """A step failed; its cause says how."""


class Steps:
    """What a long job is handed: itself, the state as its tenant sees it, and the means to keep steps."""

    def __init__(self, bench: Bench, kind: InSteps, batch_id: str, job: Job, stopping: Event) -> None:
        self.job = job
        self.state = bench.state.of(job.tenant)
        self.now = bench.now
        self.random_bytes = bench.random_bytes
        self._batch_id = batch_id
        self._stopping = stopping
        self._ends = (job.started_us or bench.now()) + timedelta(seconds=kind.timeout_s)

    def step(self, name: str, action: Callable[[], Answer]) -> Answer:
        """Run `action` and keep what it returns, which must be JSON; a later attempt gets that without running it.

        Steps come in the same order in each attempt. One may run twice, where the worker was lost before its answer was
        kept, so what it does must bear that. Between steps a job is cancelled, handed back or ended for its time.
        """
        from dbos import DBOS  # noqa: PLC0415 - 0.9 s

        self._look_around()

        def kept() -> Answer:
            try:
                answer = action()
                json.dumps(answer, allow_nan=False)
            except Exception as error:  # DBOS would keep it as the answer of the step
                raise _Failed from error
            return answer

        return DBOS.run_step({"name": name}, kept)

    def _look_around(self) -> None:
        with self.state.reading() as connection:
            held = claims.find_held(connection, self._batch_id, self.job.job_id)
        if held is None:
            raise _Lost
        if held.is_cancel_asked:
            raise _Canceled
        if self._stopping.is_set():
            raise _Stopping
        if self.now() > self._ends:
            raise JobTookTooLong(f"It was held beyond {self._ends.isoformat()}.")


class Durable:
    """DBOS as this process runs it, started with the first long job. One at a time in a process, as DBOS has it."""

    def __init__(self, state: State, slot: str, process_id: str) -> None:
        self._state = state.of(EVERY_TENANT)
        self._queue = f"slot.{slot}"
        self._executor_id = f"{slot}/{process_id}"
        self._bodies: dict[str, Callable[[], None]] = {}
        self._lock = Lock()
        self._dbos: Any = None
        self._workflow: Any = None
        self._engine: Engine | None = None

    def run(self, job_id: str, body: Callable[[], None]) -> None:
        """Run `body` as the workflow of a job: begun, or continued with the answers of the steps that are kept.

        `body` must not raise. Raises NeverBegan where DBOS does not call it in time.
        """
        dbos = self._launched()
        from dbos import SetWorkflowID  # noqa: PLC0415

        ended: Future[None] = Future()

        def once() -> None:
            if not ended.set_running_or_notify_cancel():
                return
            body()
            ended.set_result(None)

        self._bodies[job_id] = once
        try:
            if dbos.get_workflow_status(job_id) is None:
                with SetWorkflowID(job_id):
                    dbos.start_workflow(self._workflow, job_id)
            else:
                dbos.resume_workflow(job_id, queue_name=self._queue)
            try:
                ended.result(BEGIN_WITHIN_S)
            except NotYet:
                if ended.cancel():  # it cannot begin any more
                    raise NeverBegan(f"DBOS did not begin the workflow {job_id} in {BEGIN_WITHIN_S:.0f} s.") from None
                ended.result()
        finally:
            self._bodies.pop(job_id, None)

    def forget(self, job_id: str) -> None:
        """Delete what is kept of a job."""
        self._launched().delete_workflow(job_id)

    def sweep(self, before: datetime) -> int:
        """Delete what is kept of jobs that ended and are no dead letters, where the process was lost before it could.

        Only where DBOS runs in this process already; returns how many.
        """
        if self._dbos is None:
            return 0
        kept = {
            each.workflow_id
            for each in self._dbos.list_workflows(end_time=before.isoformat(), load_input=False, load_output=False)
        }
        with self._state.reading() as connection:
            needed = set(
                connection.scalars(
                    select(job_table.c.job_id).where(
                        job_table.c.job_id.in_(kept), job_table.c.status.in_(("waiting", "active", "failed"))
                    )
                )
            )
        for job_id in kept - needed:
            self.forget(job_id)
        return len(kept - needed)

    def close(self) -> None:
        """End DBOS; workflows that still run are left as if the process were lost."""
        with self._lock:
            if self._dbos is not None:
                self._dbos.destroy(destroy_registry=True)
                self._dbos = None
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _launched(self) -> Any:
        with self._lock:
            if self._dbos is None:
                from dbos import DBOS  # noqa: PLC0415

                DBOS(config=self._config())
                self._workflow = DBOS.workflow(name=_WORKFLOW)(_workflow_of(self._bodies))
                DBOS.listen_queues([self._queue])
                DBOS.launch()
                DBOS.register_queue(self._queue, polling_interval_sec=POLL_S)
                self._dbos = DBOS
            return self._dbos

    def _config(self) -> Any:
        config = {
            "name": "tieout",
            "executor_id": self._executor_id,
            "application_version": VERSION,
            "log_level": "ERROR",
            "use_listen_notify": False,
            "serializer": _Json(),
        }
        url = self._state.engine.url
        if self._state.is_postgresql:
            return config | {
                "system_database_url": url.render_as_string(hide_password=False),
                "dbos_system_schema": SCHEMA,
                "sys_db_pool_size": 4,
            }
        path = Path(url.database or "").parent / STEPS_FILE
        self._engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(self._engine, "connect", _set_up_sqlite)
        return config | {"system_database_url": f"sqlite:///{path}", "system_database_engine": self._engine}


def _workflow_of(bodies: Mapping[str, Callable[[], None]]) -> Callable[[str], None]:
    def workflow(job_id: str) -> None:
        body = bodies.get(job_id)
        if body is not None:
            body()
        raise _Left  # the claim says how the job ended; to DBOS it stays open until it is deleted

    return workflow


def do_in_steps(bench: Bench, durable: Durable, kind: InSteps, batch_id: str, job: Job, stopping: Event) -> None:
    """Do one attempt of a long job and record how it ended.

    Raises StateUnavailable when the database cannot be reached; the job is then still the batch's.
    """
    ends: list[BaseException | None] = []

    told = {"job_id": job.job_id, "tenant_id": job.tenant, "request_id": job.request_id, "kind": job.kind}

    def body() -> None:
        try:
            with log_context(**told), continued(job.trace_parent, f"job {job.kind}", job_id=job.job_id):
                result = kind.do(Steps(bench, kind, batch_id, job, stopping))
            _finish(bench, batch_id, job, result)
        except BaseException as error:  # noqa: BLE001 - how the attempt ended is recorded below, outside the workflow
            ends.append(error)
        else:
            ends.append(None)

    try:
        durable.run(job.job_id, body)
    except Exception as error:  # noqa: BLE001 - such as a role that may not make the schema of the steps
        end_attempt(bench, kind.back_off, batch_id, job, error)
        return
    end = ends[0]
    if end is None or isinstance(end, _Canceled | _Stopping | _Lost):
        _leave(bench, durable, batch_id, job, end)
        return
    cause = end.__cause__ if isinstance(end, _Failed) else end
    if isinstance(cause, StateUnavailable) or not isinstance(cause, Exception):
        raise cause or end
    end_attempt(bench, kind.back_off, batch_id, job, cause)


def _leave(bench: Bench, durable: Durable, batch_id: str, job: Job, end: BaseException | None) -> None:
    """Record that a job was done, cancelled or is handed back; what is kept of it goes with its end."""
    tenant = bench.state.of(job.tenant)
    if isinstance(end, _Stopping):
        tenant.write(lambda connection: claims.hand_back(connection, batch_id, bench.now()))
    elif isinstance(end, _Canceled):
        tenant.write(lambda connection: claims.cancel_held(connection, batch_id, [job.job_id], bench.now()))
    if end is None or isinstance(end, _Canceled):
        count_ended(job, "done" if end is None else "canceled")
        durable.forget(job.job_id)


def _finish(bench: Bench, batch_id: str, job: Job, result: Any) -> None:
    results = {job.job_id: result}
    tenant = bench.state.of(job.tenant)
    if tenant.write(lambda connection: claims.finish_with(connection, batch_id, results, bench.now())) != 1:
        raise _Lost


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


class _Json:
    """How DBOS keeps answers: as JSON, for what is unpickled can run code."""

    def name(self) -> str:
        return "tieout_json"

    def serialize(self, data: Any) -> str:
        return json.dumps(data, ensure_ascii=False)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)
