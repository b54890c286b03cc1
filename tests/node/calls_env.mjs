// gRPC by @grpc/grpc-js with nothing but its environment: node calls_env.mjs HOST:PORT PATH tls|clear
// Says the status and the answer, or what it was told.
import grpc from "@grpc/grpc-js";

const [target, path, how] = process.argv.slice(2);
const credentials = how === "tls" ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
const client = new grpc.Client(target, credentials, { "grpc.enable_retries": 0 });
const same = (bytes) => bytes;

client.makeUnaryRequest(path, same, same, Buffer.from("hello"), { deadline: Date.now() + 300000 }, (e, answer) => {
    console.log(e === null ? `0 ${answer}` : `${e.code} ${e.details}`);
    client.close();
});
