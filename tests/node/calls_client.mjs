// A gRPC client by @grpc/grpc-js: node calls_client.mjs ADDRESS:PORT CA WHAT COUNT [NAME=VALUE …]
// NAME=VALUE is metadata, but for text=, load= (bytes) and deadline_ms=. The way to the service is the environment's https_proxy.
// Says one line of JSON: what came of it.
import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const [address, ca, what, count, ...more] = process.argv.slice(2);
const n = Number(count);
const { calls } = grpc.loadPackageDefinition(loader.loadSync(new URL("calls.proto", import.meta.url).pathname, { defaults: true }));
const metadata = new grpc.Metadata();
const own = { text: "hello", load: "0", deadline_ms: "600000" };
for (const word of more) {
    const [name, value] = word.split(/=(.*)/s);
    name in own ? (own[name] = value) : metadata.set(name, value);
}
const note = { text: own.text, load: Buffer.alloc(Number(own.load), "0123456789abcdef") };
const client = new calls.Calls(address, grpc.credentials.createSsl(readFileSync(ca)),
                               { "grpc.max_receive_message_length": -1, "grpc.enable_retries": 0 });
const deadline = () => ({ deadline: Date.now() + Number(own.deadline_ms) });
const seen = { ok: 0, notes: 0, bytes: 0, inOrder: true, codes: {}, details: "", opening: {}, closing: {} };

function plain(m) {
    return Object.fromEntries(Object.entries(m.getMap()).map(([k, v]) => [k, Buffer.isBuffer(v) ? [...v] : v]));
}

function watch(call, done) {
    call.on("metadata", (m) => (seen.opening = plain(m)));
    call.on("status", (s) => {
        seen.codes[s.code] = (seen.codes[s.code] || 0) + 1;
        seen.ok += s.code === 0;
        if (s.code !== 0) {
            seen.details = s.details;
        }
        seen.closing = plain(s.metadata);
        done();
    });
    call.on("error", () => {});
}

function took(answer) {
    seen.inOrder &&= what !== "Talk" && what !== "Scatter" || answer.text === String(seen.notes);
    seen.notes++;
    seen.bytes += answer.load.length;
    seen.text = answer.text;
}

const one = (name) => new Promise((done) => watch(client[name](note, metadata, deadline(), (e, a) => e || took(a)), done));
const runs = {
    async Once() {
        for (let i = 0; i < n; i++) {
            await one("Once");
        }
    },
    Fail: () => one("Fail"),
    Stay: () => one("Stay"),
    Many: () => Promise.all(Array.from({ length: n }, () => one("Once"))),
    Gather: () => new Promise((done) => {
        const call = client.Gather(metadata, deadline(), (e, a) => e || took(a));
        watch(call, done);
        for (let i = 0; i < n; i++) {
            call.write(note);
        }
        call.end();
    }),
    Scatter: () => new Promise((done) => {
        const call = client.Scatter({ ...note, text: String(n) }, metadata, deadline());
        watch(call, done);
        call.on("data", took);
    }),
    // Each message waits for the answer to the one before: a stream that is gathered up would stand still.
    Talk: () => new Promise((done) => {
        const call = client.Talk(metadata, deadline());
        let sent = 0;
        const next = () => (sent < n ? call.write({ ...note, text: String(sent++) }) : call.end());
        watch(call, done);
        call.on("data", (answer) => {
            took(answer);
            next();
        });
        next();
    }),
};
await runs[what]();
client.close();
console.log(JSON.stringify(seen));
