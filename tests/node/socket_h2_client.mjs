// WebSockets over HTTP/2 (RFC 8441) as a client, through a CONNECT tunnel: Node's own http2 below, npm `ws` above.
// socket_h2_client.mjs PROXY URL CA COUNT MESSAGE...: COUNT sockets at once on one connection, each says every message and closes;
// one line of JSON for each.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import tls from "node:tls";
import WebSocket from "ws";

const [proxy, address, ca, count, ...messages] = process.argv.slice(2);
const url = new URL(address);
const target = `${url.hostname}:${url.port || 443}`;
const connect = http.request(proxy, { method: "CONNECT", path: target, headers: { host: target } }).end();
const [answer, tunnel] = await once(connect, "connect");
if (answer.statusCode !== 200) {
    throw new Error(`CONNECT: ${answer.statusCode}`);
}
const secure = tls.connect({ socket: tunnel, servername: url.hostname, ca: readFileSync(ca), ALPNProtocols: ["h2"] });
await once(secure, "secureConnect");
const session = http2.connect(`https://${target}`, { createConnection: () => secure });
await once(session, "remoteSettings");
if (!session.remoteSettings.enableConnectProtocol) {
    throw new Error("no WebSocket is taken");
}

async function converse(n) {
    const heard = { messages: [] };
    const stream = session.request({
        ":method": "CONNECT", ":protocol": "websocket", ":path": `${url.pathname}?n=${n}`,
        "sec-websocket-version": "13", "sec-websocket-protocol": "chat" }, { endStream: false });
    stream.on("error", (e) => (heard.error = e.code));
    const [fields] = await once(stream, "response");
    heard.status = fields[":status"];
    heard.protocol = fields["sec-websocket-protocol"];
    if (heard.status !== 200) {
        stream.close();
        return heard;
    }
    stream.setNoDelay = stream.setKeepAlive = () => stream;
    const socket = new WebSocket(null, undefined, {});
    socket._isServer = false;
    socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 64 << 20, skipUTF8Validation: false, allowSynchronousEvents: true });
    for (const message of messages) {
        socket.send(`${message} ${n}`);
        heard.messages.push((await once(socket, "message"))[0].toString());
    }
    socket.close(4000 + n, "enough");
    heard.code = (await once(socket, "close"))[0];
    return heard;
}

for (const heard of await Promise.all(Array.from({ length: Number(count) }, (_, n) => converse(n)))) {
    console.log(JSON.stringify(heard));
}
// Older Nodes close the connection before they have sent what ended the streams: an answer says that it has come.
await new Promise((come) => session.ping(come));
session.close();
