"""Many TCP connections that trickle numbered, checked data.

serve PORT                        echoes everything
run HOST PORT COUNT SECONDS       opens COUNT connections and checks what comes back on each for so long
churn HOST PORT RATE SECONDS      opens, uses and closes RATE connections a second; prints how many were complete
refused HOST PORT                 succeeds if an ICMP error refuses a UDP packet
"""

import asyncio
import hashlib
import socket
import sys
import time


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def serve(port):
    server = await asyncio.start_server(echo, None, int(port), backlog=16384)
    await server.serve_forever()


async def exchange(reader, writer, connection, number):
    data = hashlib.sha256(f"{connection} {number}".encode()).digest()
    writer.write(data)
    if await reader.readexactly(len(data)) != data:
        raise ValueError(f"connection {connection} has a wrong byte at message {number}")


async def trickle(host, port, connection, end, gate):
    async with gate:
        reader, writer = await asyncio.open_connection(host, port)
    number, longest = 0, 0
    while number == 0 or time.monotonic() < end:
        start = time.monotonic()
        await asyncio.wait_for(exchange(reader, writer, connection, number), 60)
        longest = max(longest, time.monotonic() - start)
        number += 1
        await asyncio.sleep(min(1, max(0, end - time.monotonic())))
    writer.close()
    return number, longest


async def run(host, port, count, seconds):
    end, gate = time.monotonic() + float(seconds), asyncio.Semaphore(200)
    tasks = [trickle(host, int(port), i, end, gate) for i in range(int(count))]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    good = [result for result in results if not isinstance(result, BaseException)]
    messages = sum(number for number, _ in good)
    longest = max((pause for _, pause in good), default=0)
    print(f"{len(good)} of {count} connections, {messages} messages, longest pause {longest:.2f} s")
    if errors:
        print(f"errors: {errors[:3]!r}")
        sys.exit(1)


async def once(host, port, number):
    reader, writer = await asyncio.open_connection(host, port)
    await exchange(reader, writer, number, 0)
    writer.close()
    await writer.wait_closed()


async def churn(host, port, rate, seconds):
    rate, seconds, start, tasks = int(rate), float(seconds), time.monotonic(), []
    while (elapsed := time.monotonic() - start) < seconds:
        while len(tasks) < elapsed * rate:
            tasks.append(asyncio.create_task(asyncio.wait_for(once(host, int(port), len(tasks)), 20)))
        await asyncio.sleep(0.002)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    good = sum(result is None for result in results)
    print(f"{good} of {len(tasks)} connections, {good / (time.monotonic() - start):.0f} a second")
    sys.exit(good != len(tasks))


def refused(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.connect((host, int(port)))
        sock.send(b"anybody?")
        try:
            sock.recv(1)
        except ConnectionRefusedError:
            return
    sys.exit(1)


what, *rest = sys.argv[1:]
if what == "refused":
    refused(*rest)
else:
    asyncio.run({"serve": serve, "run": run, "churn": churn}[what](*rest))
