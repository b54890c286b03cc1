// A Node client whose requests go through a CONNECT tunnel: node through.mjs PROXY URL METHOD [BODY_BYTES]
import http from "node:http";
import https from "node:https";
import tls from "node:tls";
import { createHash } from "node:crypto";

const [proxy, url, method, bytes] = process.argv.slice(2);
const target = new URL(url);
const host = `${target.hostname}:${target.port || 443}`;
const body = bytes === undefined ? undefined : Buffer.alloc(Number(bytes), "0123456789abcdef");

function connect() {
    return new Promise((resolve, reject) => {
        const { hostname, port, username, password } = new URL(proxy);
        const told = username ? { "Proxy-Authorization": "Basic " + btoa(`${username}:${password}`) } : {};
        http.request({ hostname, port, method: "CONNECT", path: host, headers: { Host: host, ...told } })
            .on("connect", (answer, socket) =>
                answer.statusCode === 200 ? resolve(socket) : reject(new Error(`CONNECT: ${answer.statusCode}`)))
            .on("error", reject)
            .end();
    });
}

const socket = tls.connect({ socket: await connect(), servername: target.hostname, ALPNProtocols: ["http/1.1"] });
const request = https.request(url, { method, defaultPort: 443, createConnection: () => socket,
                                     headers: body ? { "Content-Length": body.length } : {} });
request.on("response", async (answer) => {
    const pieces = [];
    for await (const piece of answer) {
        pieces.push(piece);
    }
    console.log(JSON.stringify({ status: answer.statusCode, body: Buffer.concat(pieces).toString(),
                                 sent: body && createHash("sha256").update(body).digest("hex") }));
    socket.destroy();
});
request.on("error", (e) => {
    console.error(String(e));
    process.exit(1);
});
request.end(body);
