// npm `ws` as a service: an echo that tells each handshake and each close, a line of JSON each.
// socket_service.mjs ADDRESS PORT [CERTIFICATE KEY]
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { WebSocketServer } from "ws";

const [address, port, certificate, key] = process.argv.slice(2);
const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const server = certificate
  ? https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) })
  : http.createServer();
const sockets = new WebSocketServer({
  server, maxPayload: 64 << 20, perMessageDeflate: true,
  handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
});

sockets.on("connection", (socket, request) => {
  const fields = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) fields.push(request.rawHeaders.slice(i, i + 2));
  tell({ event: "open", path: request.url, fields });
  socket.on("message", (data, isBinary) => {
    if (data.toString() === "close, please") socket.close(4001, "as asked");
    else socket.send(data, { binary: isBinary });
  });
  socket.on("close", (code, reason) => tell({ event: "close", code, reason: reason.toString() }));
});
server.listen(Number(port), address, () => tell({ port: server.address().port }));
