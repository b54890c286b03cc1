// The API's types, as kubernetes-models declares them: which fields an object may have. Its own checks see wrong types and missing
// fields, and let unknown ones pass.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const root = path.dirname(require.resolve("kubernetes-models/package.json"));
const files = new Map();

function read(file) {
    if (files.has(file))
        return files.get(file);
    const text = fs.readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
    const types = new Map();
    const imports = new Map();
    for (const [, names, from] of text.matchAll(/import \{([^}]*)\} from "([^"]+)"/g))
        for (const name of names.split(","))
            imports.set(name.trim(), from);
    for (const [, name, body] of text.matchAll(/export interface (\w+)[^{]*\{\n([\s\S]*?)\n\}/g)) {
        const fields = new Map();
        for (const [, field, type] of body.matchAll(/^ {4}"([^"]+)"\??: ([\s\S]*?);$/gm))
            fields.set(field, type.replace(/\s+/g, " "));
        types.set(name, fields);
    }
    files.set(file, { types, imports });
    return files.get(file);
}

function locate(from, file) {
    if (from.startsWith("."))
        return path.resolve(path.dirname(file), from.replace(/\.js$/, "") + ".d.ts");
    const [, name, rest] = /^(@[^/]+\/[^/]+|[^/]+)\/(.*)$/.exec(from);
    return path.join(path.dirname(require.resolve(name + "/package.json")), rest.replace(/\.js$/, "") + ".d.ts");
}

// A type: its fields, or what all its values are, or null where anything may stand.
function resolve(type, file) {
    const list = /^Array<(.*)>$/.exec(type);
    if (list)
        return resolve(list[1], file);
    const map = /^\{ \[key: string\]: (.*?);? \}$/.exec(type);
    if (map)
        return { every: resolve(map[1], file) };
    const from = read(file).imports.get(type);
    if (from === undefined || from === "@kubernetes-models/base")
        return null;
    const at = locate(from, file);
    if (!fs.existsSync(at))
        return null;
    const [fields] = [...read(at).types.values()];
    return fields === undefined ? null : { fields, file: at };
}

export function typeOf(apiVersion, kind) {
    const file = path.join(root, apiVersion, kind + ".d.ts");
    if (!fs.existsSync(file))
        return undefined;
    return { fields: read(file).types.get("I" + kind), file };
}

// undefined: there is no such field.
export function fieldOf(type, name) {
    if (type === null || type.every !== undefined)
        return type === null ? null : type.every;
    return type.fields.has(name) ? resolve(type.fields.get(name), type.file) : undefined;
}

export function unknownFields(value, type, at, found) {
    if (Array.isArray(value)) {
        value.forEach((one, i) => unknownFields(one, type, `${at}[${i}]`, found));
    } else if (value !== null && typeof value === "object" && type !== null) {
        for (const [name, inner] of Object.entries(value)) {
            const next = fieldOf(type, name);
            if (next === undefined)
                found.push(`${at}.${name}: the API has no such field`);
            else
                unknownFields(inner, next, `${at}.${name}`, found);
        }
    }
    return found;
}
