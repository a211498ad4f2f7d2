// The official client, controlled by lines of JSON: {key, event, payload} in; {event, payload} and {ack, payload} out.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, cookie, transports] = process.argv.slice(2);
const report = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const options = { extraHeaders: { Cookie: cookie }, reconnection: false, transports: transports.split(",") };
const socket = io(url, options);

socket.on("connect", () => report({ event: "connect" }));
socket.on("disconnect", () => report({ event: "disconnect" }));
socket.on("connect_error", (error) => report({ event: "connect_error", payload: error.message }));
socket.onAny((event, payload) => report({ event, payload }));

createInterface({ input: process.stdin }).on("line", (line) => {
  const { key, event, payload } = JSON.parse(line);
  socket.emit(event, ...payload, (ack) => report({ ack: key, payload: ack }));
});
