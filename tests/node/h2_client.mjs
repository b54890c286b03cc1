// A client by Node's own HTTP/2, through a CONNECT tunnel: node h2_client.mjs PROXY URL CA METHOD BODY_BYTES [COUNT]
// COUNT requests at once on one connection; one line of JSON for each answer. A body has trailers behind it.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import tls from "node:tls";

const [proxy, url, ca, method, bytes, count] = process.argv.slice(2);
const target = new URL(url);
const host = `${target.hostname}:${target.port || 443}`;
const body = Buffer.alloc(Number(bytes), "0123456789abcdef");

function connect() {
    return new Promise((resolve, reject) => {
        const { hostname, port } = new URL(proxy);
        http.request({ hostname, port, method: "CONNECT", path: host, headers: { Host: host } })
            .on("connect", (answer, socket) =>
                answer.statusCode === 200 ? resolve(socket) : reject(new Error(`CONNECT: ${answer.statusCode}`)))
            .on("error", reject)
            .end();
    });
}

const socket = tls.connect({ socket: await connect(), servername: target.hostname, ca: readFileSync(ca), ALPNProtocols: ["h2"] });
await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
if (socket.alpnProtocol !== "h2") {
    throw new Error(`the proxy speaks ${socket.alpnProtocol}`);
}
const session = http2.connect(target.origin, { createConnection: () => socket });

function one() {
    return new Promise((resolve) => {
        const stream = session.request({ ":method": method, ":path": target.pathname + target.search },
                                       { endStream: body.length === 0, waitForTrailers: body.length > 0 });
        const told = { interim: [], trailers: {} };
        const pieces = [];
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-sent": createHash("sha256").update(body).digest("hex") }));
        stream.on("headers", (fields) => told.interim.push(fields[":status"]));
        stream.on("response", (fields) => Object.assign(told, { status: fields[":status"], fields: { ...fields } }));
        stream.on("trailers", (fields) => (told.trailers = { ...fields }));
        stream.on("data", (piece) => pieces.push(piece));
        stream.on("error", (e) => (told.error = e.code));
        stream.on("close", () => {
            const all = Buffer.concat(pieces);
            resolve({ ...told, bytes: all.length, body: all.subarray(0, 65536).toString(), code: stream.rstCode });
        });
        if (body.length) {
            stream.end(body);
        }
    });
}

for (const told of await Promise.all(Array.from({ length: Number(count || 1) }, one))) {
    console.log(JSON.stringify(told));
}
session.close();
