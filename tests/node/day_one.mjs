// A program of the first day, with nothing but its environment: node day_one.mjs fetch|undici|events|ws URL [agent]
// `agent` is the one line more that makes a library use the proxy of its environment.
import { EventSource } from "eventsource";
import { HttpsProxyAgent } from "https-proxy-agent";
import { EnvHttpProxyAgent, fetch as undiciFetch, setGlobalDispatcher } from "undici";
import WebSocket from "ws";

const [what, url, agent] = process.argv.slice(2);
if (agent) setGlobalDispatcher(new EnvHttpProxyAgent());

async function post(call) {
    const answer = await call(url, { method: "POST", body: "x".repeat(70000) });
    console.log((await answer.json()).body_bytes);
}

function events() {
    const source = new EventSource(url);
    source.onerror = (e) => { throw new Error(e.message); };
    source.onmessage = (e) => {
        console.log(e.data);
        if (e.data === "event 2") source.close();
    };
}

function ws() {
    const socket = new WebSocket(url, agent ? { agent: new HttpsProxyAgent(process.env.https_proxy) } : {});
    socket.on("open", () => socket.send("hello"));
    socket.on("message", (data) => {
        console.log(data.toString());
        socket.close();
    });
}

await { fetch: () => post(fetch), undici: () => post(undiciFetch), events, ws }[what]();
