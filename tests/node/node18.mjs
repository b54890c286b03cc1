// What Debian 12's own Node 18 lacks and oidc-provider was written for; a newer Node is left alone. Imported before it.
import * as crypto from 'node:crypto';
import { register } from 'node:module';

globalThis.crypto ??= crypto.webcrypto;
globalThis.CryptoKey ??= crypto.webcrypto.CryptoKey;
URL.parse ??= (text, base) => {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
};

// crypto.hash: the name of a module's export cannot be added, so who asks for the module is given another.
const shim = `
export * from 'node:crypto';
export { default } from 'node:crypto';
import { createHash } from 'node:crypto';
export const hash = (name, data, encoding = 'hex') => createHash(name).update(data).digest(encoding);`;
const url = `data:text/javascript,${encodeURIComponent(shim)}`;
const hooks = `
export const resolve = (name, context, next) =>
  name === 'node:crypto' && context.parentURL.includes('/node_modules/')
    ? { url: ${JSON.stringify(url)}, shortCircuit: true } : next(name, context);`;
if (crypto.hash === undefined) register(`data:text/javascript,${encodeURIComponent(hooks)}`);
