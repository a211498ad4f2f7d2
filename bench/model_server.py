"""Model server whose answers never end, with OpenAI's protocol: `python -m bench.model_server` prints its port."""

import asyncio
import json

CHUNKS_PER_SECOND = 25


async def _stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    number = 0
    try:
        while True:
            number += 1
            delta = {"content": f"word{number} " if number % 60 else "end.\n\n"}
            chunk = {
                "id": "chatcmpl-1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "participant",
                "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
            }
            writer.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            await writer.drain()
            await asyncio.sleep(1 / CHUNKS_PER_SECOND)
    except ConnectionError:
        writer.close()


async def _main() -> None:
    server = await asyncio.start_server(_stream, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
