// What an API server would do to a pod by our policies, as far as another reader of CEL can say: {policies, params, pods} in, for each
// pod {pod, refused} out, and {problems} of the expressions themselves.
//
// What is ours here and not the API server's: objects are untyped, so the types and fields that `Object.…{}` names are looked up in the
// API's declarations beforehand; variables are evaluated in order, not when they are asked for; a mutation sees what the one before
// has made.
import fs from "node:fs";
import { Environment } from "@marcbachmann/cel-js";
import { fieldOf, typeOf } from "./models.mjs";

const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false });
const problems = [];

// `Object.spec.x{a: 1}` and `JSONPatch{a: 1}` become `{'a': 1}`; the fields are looked up on the way.
function untyped(text) {
    const braces = [];
    let out = "";
    let i = 0;
    while (i < text.length) {
        const rest = text.slice(i);
        const string = /^'(?:[^'\\]|\\.)*'/.exec(rest);
        const open = /^(Object(?:\.\w+)*|JSONPatch)?\{/.exec(rest);
        const key = /^(\w+)(\s*:)/.exec(rest);
        if (string) {
            out += string[0];
            i += string[0].length;
        } else if (open && (open[1] || rest[0] === "{")) {
            braces.push(open[1] ?? null);
            out += "{";
            i += open[0].length;
        } else if (rest[0] === "}") {
            braces.pop();
            out += "}";
            i++;
        } else if (key && braces.at(-1) && /[{,]\s*$/.test(out)) {
            lookUp(braces.at(-1), key[1]);
            out += `'${key[1]}'${key[2]}`;
            i += key[0].length;
        } else {
            const word = /^[\w.]+|^[\s\S]/.exec(rest)[0];
            out += word;
            i += word.length;
        }
    }
    return out;
}

function lookUp(path, field) {
    if (path === "JSONPatch") {
        if (!["op", "path", "from", "value"].includes(field))
            problems.push(`JSONPatch has no ${field}`);
        return;
    }
    let type = typeOf("v1", "Pod");
    for (const name of [...path.split(".").slice(1), field]) {
        type = fieldOf(type, name);
        if (type === undefined) {
            problems.push(`${path}: a Pod has no ${name} there`);
            return;
        }
    }
}

// CEL's integers are not JavaScript's numbers.
const into = value => Array.isArray(value) ? value.map(into)
    : value !== null && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, into(v)]))
    : Number.isInteger(value) ? BigInt(value) : value;
const out = value => Array.isArray(value) ? value.map(out)
    : value instanceof Map ? Object.fromEntries([...value].map(([k, v]) => [k, out(v)]))
    : value !== null && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, out(v)]))
    : typeof value === "bigint" ? Number(value) : value;

const parsed = new Map();
function evaluate(expression, context) {
    if (!parsed.has(expression))
        parsed.set(expression, environment.parse(untyped(expression)));
    return parsed.get(expression)(context);
}

function contextOf(policy, pod, params) {
    const context = { object: into(pod), params: { data: params }, variables: {} };
    for (const { name, expression } of policy.spec.variables ?? [])
        context.variables[name] = evaluate(expression, context);
    return context;
}

const selects = (policy, pod) => Object.entries(policy.spec.matchConstraints.objectSelector?.matchLabels ?? {})
    .every(([name, value]) => (pod.metadata.labels ?? {})[name] === value);

// ---- mutation

const keys = { containers: "name", initContainers: "name", env: "name", volumes: "name", volumeMounts: "mountPath" };

// As a server-side apply by a manager that owns nothing yet.
function merge(into_, from, name) {
    if (Array.isArray(from)) {
        if (!(name in keys))
            throw new Error(`${name}: an atomic list may not be applied`);
        const all = [...(into_ ?? [])];
        for (const one of from) {
            const at = all.findIndex(other => other[keys[name]] === one[keys[name]]);
            if (at < 0)
                all.push(merge({}, one, name));
            else
                all[at] = merge(all[at], one, name);
        }
        return all;
    }
    if (from !== null && typeof from === "object")
        return Object.entries(from).reduce((all, [k, v]) => ({ ...all, [k]: merge(all[k], v, k) }), { ...into_ });
    return from;
}

function patch(pod, { op, path, value }) {
    const steps = path.split("/").slice(1);
    const last = steps.pop();
    const at = steps.reduce((inner, step) => inner[step], pod);
    if (op !== "add" || at === undefined)
        throw new Error(`${op} ${path}`);
    if (!Array.isArray(at))
        at[last] = value;
    else
        at.splice(last === "-" ? at.length : Number(last), 0, value);
}

function mutate(policy, pod, params) {
    if (!selects(policy, pod))
        return pod;
    if (!(policy.spec.matchConditions ?? []).every(c => evaluate(c.expression, { object: into(pod), params: { data: params } })))
        return pod;
    for (const mutation of policy.spec.mutations) {
        const context = contextOf(policy, pod, params);
        if (mutation.patchType === "ApplyConfiguration") {
            pod = merge(pod, out(evaluate(mutation.applyConfiguration.expression, context)), "");
        } else {
            pod = structuredClone(pod);
            for (const one of out(evaluate(mutation.jsonPatch.expression, context)))
                patch(pod, one);
        }
    }
    return pod;
}

function refusals(policy, pod, params) {
    if (!selects(policy, pod))
        return [];
    let context;
    try {
        context = contextOf(policy, pod, params);
    } catch (error) {
        return [`error: ${error.message.split("\n")[0]}`];
    }
    return policy.spec.validations.filter(({ expression }) => {
        try {
            return evaluate(expression, context) !== true;
        } catch {
            return true;        // failurePolicy: Fail
        }
    }).map(({ message }) => message);
}

const { policies, params, pods } = JSON.parse(fs.readFileSync(0, "utf8"));
const mutating = policies.filter(p => p.kind === "MutatingAdmissionPolicy");
const validating = policies.filter(p => p.kind === "ValidatingAdmissionPolicy");
const answers = pods.map(({ pod, also }) => {
    for (const policy of mutating)
        pod = mutate(policy, pod, { ...params, ...also });
    return { pod, refused: validating.flatMap(policy => refusals(policy, pod, { ...params, ...also })) };
});
console.log(JSON.stringify({ answers, problems: [...new Set(problems)] }));
