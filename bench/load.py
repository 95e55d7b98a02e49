"""Many clients that ask one server again and again, each over a connection that stays open; plain asyncio."""

import asyncio
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Load:
    """What a round of requests came to; times in milliseconds."""

    requests: int
    other_answers: int
    seconds: float
    per_second: float
    median_ms: float
    p95_ms: float
    p99_ms: float


async def _client(host, port, request, wanted, until, times, others):
    reader, writer = await asyncio.open_connection(host, port)
    while (began := time.perf_counter()) < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        times.append(time.perf_counter() - began)
        if int(head[9:12]) != wanted:
            others.append(head[9:12])
    writer.close()


async def _all(host, port, request, wanted, clients, seconds):
    times, others = [], []
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(_client(host, port, request, wanted, until, times, others) for _ in range(clients)))
    took = time.perf_counter() - began
    cuts = statistics.quantiles(times, n=100)
    shown = [round(1000 * one, 2) for one in (statistics.median(times), cuts[94], cuts[98])]
    return Load(len(times), len(others), round(took, 2), round(len(times) / took, 1), *shown)


def main(host, port, wanted, clients, seconds):
    request = sys.stdin.buffer.read()
    done = asyncio.run(_all(host, int(port), request, int(wanted), int(clients), float(seconds)))
    print(json.dumps(asdict(done)))


if __name__ == "__main__":
    main(*sys.argv[1:])
