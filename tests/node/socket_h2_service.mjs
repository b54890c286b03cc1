// WebSocket over HTTP/2 (RFC 8441) as a service: Node's own http2 below, npm `ws` above; an echo that tells what it saw.
// socket_h2_service.mjs ADDRESS PORT CERTIFICATE KEY
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import WebSocket from "ws";

const [address, port, certificate, key] = process.argv.slice(2);
const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const server = http2.createSecureServer({
    cert: readFileSync(certificate), key: readFileSync(key), settings: { enableConnectProtocol: true } });

server.on("stream", (stream, headers, flags, raw) => {
    const fields = [];
    for (let i = 0; i < raw.length; i += 2) {
        fields.push([raw[i], raw[i + 1]]);
    }
    tell({ event: "open", fields });
    stream.on("error", () => {});
    stream.on("close", () => tell({ event: "over", code: stream.rstCode }));
    if (headers[":method"] !== "CONNECT" || headers[":protocol"] !== "websocket") {
        stream.respond({ ":status": 200, "content-type": "text/plain" });
        stream.end("a page");
        return;
    }
    stream.respond({ ":status": 200, "sec-websocket-protocol": "chat" });
    stream.setNoDelay = stream.setKeepAlive = () => stream;
    const socket = new WebSocket(null, undefined, {});
    socket._isServer = true;
    socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 64 << 20, skipUTF8Validation: false, allowSynchronousEvents: true });
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on("close", (code, reason) => tell({ event: "close", code, reason: reason.toString() }));
});
server.listen(Number(port), address, () => tell({ port: server.address().port }));
