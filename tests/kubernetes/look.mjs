// Manifests in, on standard input; out: {documents, problems}. What others' controllers define is looked at as far as there is a pod
// in it.
import fs from "node:fs";
import { parseAllDocuments } from "yaml";
import { typeOf, unknownFields } from "./models.mjs";

// Of kinds that are not the API's own: every field that ours use.
const theirs = {
    "monitoring.coreos.com/v1 ServiceMonitor": { spec: { selector: { matchLabels: null }, endpoints: { port: null, path: null, interval: null } } },
    "monitoring.coreos.com/v1 PrometheusRule": { spec: { groups: { name: null, rules: { alert: null, expr: null, for: null, labels: null, annotations: null } } } },
    "extensions.agents.x-k8s.io/v1beta1 SandboxTemplate": { spec: { podTemplate: "pod", envVarsInjectionPolicy: null } },
    "extensions.agents.x-k8s.io/v1beta1 SandboxWarmPool": { spec: { replicas: null, sandboxTemplateRef: { name: null } } },
    "extensions.agents.x-k8s.io/v1beta1 SandboxClaim": { spec: { warmPoolRef: { name: null } } },
};

async function judgeModel(document, problems, at) {
    const { apiVersion, kind } = document;
    const models = await import("kubernetes-models/" + apiVersion);
    try {
        new models[kind](document).validate();
    } catch (error) {
        problems.push(`${at}: ${error.message}`);
    }
    unknownFields(document, typeOf(apiVersion, kind), at, problems);
}

async function judgeFields(value, fields, at, problems) {
    if (Array.isArray(value)) {
        for (const [i, one] of value.entries())
            await judgeFields(one, fields, `${at}[${i}]`, problems);
    } else if (fields === "pod") {
        await judgeModel({ apiVersion: "v1", kind: "Pod", metadata: value.metadata, spec: value.spec }, problems, at);
    } else if (fields !== null) {
        for (const [name, inner] of Object.entries(value)) {
            if (!(name in fields))
                problems.push(`${at}.${name}: there is no such field`);
            else
                await judgeFields(inner, fields[name], `${at}.${name}`, problems);
        }
    }
}

const problems = [];
const documents = [];
for (const parsed of parseAllDocuments(fs.readFileSync(0, "utf8"))) {
    problems.push(...parsed.errors.map(String));
    const document = parsed.toJS();
    if (document === null)
        continue;
    documents.push(document);
    if (document.apiVersion === undefined)
        continue;               // a piece of one: it is only read
    const at = `${document.kind} ${document.metadata?.name}`;
    const own = theirs[`${document.apiVersion} ${document.kind}`];
    if (own !== undefined)
        await judgeFields({ spec: document.spec }, own, at, problems);
    else if (typeOf(document.apiVersion, document.kind) === undefined)
        problems.push(`${at}: there is no ${document.apiVersion} ${document.kind}`);
    else
        await judgeModel(document, problems, at);
}
console.log(JSON.stringify({ documents, problems }));
