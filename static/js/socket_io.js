// The Socket.IO client. bin/setup copies it from its npm package, which also has the types (socket_io.d.ts).

export { io } from "../vendor/socket.io.esm.min.js";
