"""Do the jobs of a queue with one Procrastinate worker until it is empty; argv: PostgreSQL URL, jobs, concurrency."""

import asyncio
import json
import sys
import time

from procrastinate import App, PsycopgConnector


async def main(url, jobs, concurrency):
    app = App(connector=PsycopgConnector(conninfo=url, min_size=4, max_size=20))
    done = 0

    @app.task(name="nothing")
    async def nothing(n):  # noqa: ARG001
        nonlocal done
        done += 1

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        began = time.perf_counter()
        for first in range(0, jobs, 1000):
            await nothing.batch_defer_async(*({"n": n} for n in range(first, min(first + 1000, jobs))))
        accept_s = time.perf_counter() - began
        began = time.perf_counter()
        await app.run_worker_async(wait=False, concurrency=concurrency, install_signal_handlers=False)
        seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "done": done, "accept_us": round(accept_s * 1e6)}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
