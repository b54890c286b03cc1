// A service by Node's own HTTP/2: node h2_origin.mjs ADDRESS PORT CERTIFICATE KEY
// Says {"port":…} first, then one line of JSON for each request that was read whole. Paths choose the answer: /status/N, /bytes/N,
// /trailers, /early (103), /reset, /goaway; anything else tells what was asked.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import http2 from "node:http2";

const [address, port, certificate, key] = process.argv.slice(2);
const server = http2.createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key), allowHTTP1: false });
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
let connections = 0;

server.on("session", (session) => {
    session.number = connections++;
    session.on("error", () => {});
});

function answer(stream, path, told) {
    const [, kind, n] = path.split(/[/?]/);
    if (kind === "status") {
        return stream.respond({ ":status": Number(n) }, { endStream: true });
    }
    if (kind === "bytes") {
        stream.respond({ ":status": 200 });
        return stream.end(Buffer.alloc(Number(n), "0123456789abcdef"));
    }
    if (kind === "trailers") {
        stream.respond({ ":status": 200 }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-closing": "said at the end" }));
        return stream.end("with trailers");
    }
    if (kind === "early") {
        stream.additionalHeaders({ ":status": 103, link: "</style.css>; rel=preload" });
    }
    if (kind === "reset") {
        return stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    }
    if (kind === "goaway") {
        stream.session.goaway();
    }
    const body = JSON.stringify(told);
    stream.respond({ ":status": 200, "content-type": "application/json", "content-length": Buffer.byteLength(body) });
    stream.end(told.method === "HEAD" ? undefined : body);
}

server.on("stream", (stream, headers, flags, raw) => {
    const told = { method: headers[":method"], target: headers[":path"], fields: [], body_bytes: 0,
                   connection: stream.session.number };
    for (let i = 0; i < raw.length; i += 2) {
        told.fields.push([raw[i], raw[i + 1]]);
    }
    const digest = createHash("sha256");
    stream.on("data", (piece) => {
        told.body_bytes += piece.length;
        digest.update(piece);
    });
    stream.on("trailers", (t) => (told.trailers = Object.entries(t)));
    stream.on("error", () => {});
    stream.on("end", () => {
        told.body_sha256 = digest.digest("hex");
        say(told);
        answer(stream, headers[":path"], told);
    });
});
server.listen(Number(port), address, () => say({ port: server.address().port }));
