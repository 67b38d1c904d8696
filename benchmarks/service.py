"""Latency of ``latente serve``: 50 clients on loopback, one row a request.

    python -m benchmarks.service [--seconds 60] [--clients 50] [--rate 100]

Clients send at a steady rate, all together ``--rate`` requests a second, whether or not earlier ones are answered, so that a
slow answer is not hidden by clients that wait for it. Afterwards they send as fast as they are answered, and at last more
requests than may wait at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import latente as lt
from benchmarks.data import mixed

TASKS = ("encode", "score", "anomalies", "impute")


async def request(port: int, head: bytes, connection: list[Any]) -> int:
    """Send one request on a kept connection; the status."""
    if not connection:
        connection.extend(await asyncio.open_connection("127.0.0.1", port))
    reader, writer = connection
    writer.write(head)
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length"))
    await reader.readexactly(length)
    return int(lines[0].split()[1])


async def paced(port: int, head: bytes, clients: int, rate: float, seconds: float) -> tuple[list[float], Counter[int]]:
    """Seconds of each answer, and the statuses, at a steady rate over all clients."""
    times: list[float] = []
    statuses: Counter[int] = Counter()
    begin = time.perf_counter() + 0.1

    async def client(i: int) -> None:
        connection: list[Any] = []
        due = begin + i / rate
        while due < begin + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            start = max(due, 0.0)
            statuses[await request(port, head, connection)] += 1
            times.append(time.perf_counter() - start)
            due += clients / rate

    await asyncio.gather(*map(client, range(clients)))
    return times, statuses


async def at_once(port: int, head: bytes, clients: int, each: int) -> tuple[float, Counter[int]]:
    """Requests a second, and statuses, where each client sends the next request when the last one is answered."""
    statuses: Counter[int] = Counter()

    async def client() -> None:
        connection: list[Any] = []
        for _ in range(each):
            statuses[await request(port, head, connection)] += 1

    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return clients * each / (time.perf_counter() - start), statuses


def memory(pid: int) -> float:
    """Resident memory of a process, MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def head_of(task: str, row: dict[str, Any]) -> bytes:
    """A whole HTTP request."""
    body = json.dumps({"rows": [row]}).encode()
    return b"POST /%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        task.encode(),
        len(body),
        body,
    )


def main() -> None:
    """Fit, serve, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("seconds", 60.0), ("clients", 50), ("rate", 100.0)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--table", default="german")
    arguments = parser.parse_args()
    source, _ = mixed(arguments.table, 0)
    with tempfile.TemporaryDirectory() as folder:
        vae = lt.VAE(random_state=0).fit(source)
        path = vae.save(Path(folder) / "model.safetensors")
        row = vae.sample(1, random_state=1)
        values = row.to_pylist()[0] if hasattr(row, "to_pylist") else json.loads(row.to_json(orient="records"))[0]
        command = [sys.executable, "-m", "latente", "serve", str(path), "--port", "0", "--json"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(json.loads(server.stdout.readline())["address"].rpartition(":")[2])
            measured(arguments, port, server.pid, values)
        finally:
            server.terminate()
            server.wait()


def measured(arguments: argparse.Namespace, port: int, pid: int, row: dict[str, Any]) -> None:
    """Print what clients see."""
    clients, rate = arguments.clients, arguments.rate
    print(f"{arguments.table}, {len(row)} columns, one row a request; {clients} clients, {rate:g} requests/s; ms")
    print("| task | median | 95% | 99% | statuses | MiB before, after |\n|---|---|---|---|---|---|")
    for task in TASKS:
        head = head_of(task, row)
        asyncio.run(at_once(port, head, clients, 2))
        before = memory(pid)
        times, statuses = asyncio.run(paced(port, head, clients, rate, arguments.seconds / len(TASKS)))
        quantiles = " | ".join(f"{1e3 * q:.1f}" for q in np.quantile(times, (0.5, 0.95, 0.99)))
        print(f"| {task} | {quantiles} | {dict(statuses)} | {before:.0f}, {memory(pid):.0f} |", flush=True)
    throughput, statuses = asyncio.run(at_once(port, head_of("score", row), clients, 40))
    print(f"score, as fast as answers come: {throughput:.0f} requests/s, {dict(statuses)}")
    _, statuses = asyncio.run(at_once(port, head_of("impute", row), 600, 2))
    print(f"600 clients at once, where 256 requests may wait: {dict(statuses)}; MiB {memory(pid):.0f}")


if __name__ == "__main__":
    main()
