// A gRPC service by @grpc/grpc-js: node calls_service.mjs ADDRESS:PORT [CERTIFICATE KEY]
// Says {"port":…} first, then one line of JSON for each call that has ended: what it was told, what it took.
import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const [address, certificate, key] = process.argv.slice(2);
const { calls } = grpc.loadPackageDefinition(loader.loadSync(new URL("calls.proto", import.meta.url).pathname, { defaults: true }));
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

function told(call) {
    const fields = [];
    for (const [name, values] of Object.entries(call.metadata.toHttp2Headers())) {
        fields.push([name, String(values)]);
    }
    return { path: call.getPath(), fields, deadline: Number.isFinite(Number(call.getDeadline())) };
}

function trailers() {
    const t = new grpc.Metadata();
    t.set("x-closing", "said at the end");
    t.set("x-closing-bin", Buffer.from([0, 1, 254, 255]));
    return t;
}

const handlers = {
    Once(call, answer) {
        say({ ...told(call), took: 1 });
        call.sendMetadata(opening());
        answer(null, call.request, trailers());
    },
    Gather(call, answer) {
        let n = 0;
        call.on("data", () => n++);
        call.on("end", () => {
            say({ ...told(call), took: n });
            answer(null, { text: String(n) }, trailers());
        });
    },
    Scatter(call) {
        const n = Number(call.request.text);
        for (let i = 0; i < n; i++) {
            call.write({ text: String(i), load: call.request.load });
        }
        say({ ...told(call), took: 1 });
        call.end(trailers());
    },
    Talk(call) {
        let n = 0, over = false;
        call.on("data", (note) => {
            n++;
            if (!call.write(note)) {
                call.pause();
                call.once("drain", () => call.resume());
            }
        });
        call.on("end", () => {
            over = true;
            say({ ...told(call), took: n });
            call.end(trailers());
        });
        call.on("cancelled", () => over || say({ ...told(call), took: n, cancelled: true }));
    },
    Fail(call, answer) {
        say({ ...told(call), took: 1 });
        answer({ code: grpc.status.FAILED_PRECONDITION, details: call.request.text, metadata: trailers() });
    },
    Stay(call) {
        say({ ...told(call), took: 1, stays: true });
        call.on("cancelled", () => say({ ...told(call), took: 1, cancelled: true }));
    },
};

function opening() {
    const m = new grpc.Metadata();
    m.set("x-opening", "said at the beginning");
    return m;
}

const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
server.addService(calls.Calls.service, handlers);
const pair = certificate && { cert_chain: readFileSync(certificate), private_key: readFileSync(key) };
const credentials = pair ? grpc.ServerCredentials.createSsl(null, [pair]) : grpc.ServerCredentials.createInsecure();
server.bindAsync(address, credentials, (error, port) => {
    if (error) {
        throw error;
    }
    say({ port });
});
