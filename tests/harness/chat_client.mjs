// The official client, commanded by lines of JSON: {key, event, payload} in; {event, payload} and {answer, payload} out.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, cookie] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const socket = io(url, { extraHeaders: { Cookie: cookie }, reconnection: false });

socket.on("connect", () => say({ event: "connect" }));
socket.on("disconnect", () => say({ event: "disconnect" }));
socket.on("connect_error", (error) => say({ event: "connect_error", payload: error.message }));
socket.onAny((event, payload) => say({ event, payload }));

createInterface({ input: process.stdin }).on("line", (line) => {
  const { key, event, payload } = JSON.parse(line);
  socket.emit(event, ...payload, (answer) => say({ answer: key, payload: answer }));
});
