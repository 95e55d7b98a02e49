"""Do the jobs of a queue with one PgQueuer worker until it is empty; argv: PostgreSQL URL, jobs, jobs in a batch."""

import asyncio
import json
import sys
import time

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode


async def main(url, jobs, batch):
    connection = await asyncpg.connect(url)
    driver = AsyncpgDriver(connection)
    queries = Queries(driver)
    await queries.install()
    began = time.perf_counter()
    for first in range(0, jobs, 1000):
        many = min(1000, jobs - first)
        payloads = [b'{"n": %d}' % (first + n) for n in range(many)]
        await queries.enqueue(["nothing"] * many, payloads, [0] * many)
    accept_s = time.perf_counter() - began

    done = 0
    queuer = PgQueuer(driver)

    @queuer.entrypoint("nothing")
    async def nothing(_job):
        nonlocal done
        done += 1

    began = time.perf_counter()
    await queuer.qm.run(batch_size=batch, mode=QueueExecutionMode.drain)
    print(json.dumps({"seconds": time.perf_counter() - began, "done": done, "accept_us": round(accept_s * 1e6)}))


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
