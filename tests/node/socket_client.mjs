// npm `ws` as a client, through a proxy: sends what it is told to, and tells what it heard as one line of JSON.
// socket_client.mjs PROXY URL CA MESSAGE...; `ping` is a ping, `close CODE REASON` closes.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import tls from "node:tls";
import WebSocket from "ws";

const [proxy, address, ca, ...messages] = process.argv.slice(2);
const url = new URL(address);
const port = url.port || (url.protocol === "wss:" ? 443 : 80);
const target = `${url.hostname}:${port}`;
const connect = http.request(proxy, { method: "CONNECT", path: target, headers: { host: target } }).end();
const [answer, tunnel] = await once(connect, "connect");
if (answer.statusCode !== 200) throw new Error(`CONNECT: ${answer.statusCode}`);
const createConnection = () =>
  url.protocol === "wss:" ? tls.connect({ socket: tunnel, servername: url.hostname, ca: readFileSync(ca) }) : tunnel;

const heard = { messages: [], pongs: 0 };
const socket = new WebSocket(url, ["chat"], { createConnection, maxPayload: 64 << 20 });
socket.on("unexpected-response", (_, response) => {
  heard.status = response.statusCode;
  console.log(JSON.stringify(heard));
  process.exit(0);
});
await once(socket, "open");
heard.protocol = socket.protocol;
heard.extensions = socket.extensions;
for (const message of messages) {
  const [word, code, reason] = message.split(" ");
  if (word === "ping") {
    socket.ping("are you there");
    await once(socket, "pong");
    heard.pongs++;
  } else if (word === "close") {
    socket.close(Number(code), reason);
  } else {
    socket.send(message);
    const first = await Promise.race([once(socket, "message"), once(socket, "close")]);
    if (typeof first[0] === "number") break;
    heard.messages.push(first[0].toString());
  }
}
if (socket.readyState !== WebSocket.CLOSED) await once(socket, "close");
heard.code = socket._closeCode;
heard.reason = socket._closeMessage.toString();
console.log(JSON.stringify(heard));
