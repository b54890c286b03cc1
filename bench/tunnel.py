#!/usr/bin/env python3
"""Lets a client that knows no proxy go through one: what connects to PORT is passed on inside a CONNECT.

  tunnel.py PORT PROXY_PORT HOST:PORT
"""
import asyncio, sys

PORT, PROXY_PORT, TARGET = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


async def splice(reader, writer):
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def serve(reader, writer):
    up_reader, up_writer = await asyncio.open_connection("127.0.0.1", PROXY_PORT)
    up_writer.write(f"CONNECT {TARGET} HTTP/1.1\r\nHost: {TARGET}\r\n\r\n".encode())
    if b" 200 " not in (await up_reader.readuntil(b"\r\n\r\n")):
        writer.close()
        return
    await asyncio.gather(splice(reader, up_writer), splice(up_reader, writer))


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", PORT, backlog=1024)
    print("open", flush=True)
    await server.serve_forever()

asyncio.run(main())
