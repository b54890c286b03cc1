// Message signatures by other hands: http-message-signatures and http-message-sig judge ours, and sign for us to judge.
// Content digests likewise, by httpbis-digest-headers.
//
// verify  In:  {"now", "method", "url", "target", "fields": [[name, value]…], "body", "jwk", "covers": […]}
//         Out: {"ok": true} and exit 0, or {"ok": false, "error"} and exit 1
// sign    In:  {"now", "method", "url", "target", "fields", "body", "jwk" (private), "covers", "says": {…}}
//         Out: [{"by", "fields"}…]
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import digests from 'httpbis-digest-headers';
import { createSignature, verifySignature } from 'http-message-sig';
import signatures from 'http-message-signatures';

const ALGORITHM = 'ecdsa-p256-sha256';
const dsaEncoding = 'ieee-p1363';

function headersOf(doc) {
  const headers = {};
  for (const [name, value] of doc.fields) {
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  }
  return headers;
}

const descriptor = (doc) => ({
  kind: 'request', method: doc.method, targetUri: doc.url, requestTarget: doc.target,
  fields: doc.fields.map(([name, value]) => ({ name, value })),
});

// It will not say what stood on the request line; it is told.
const componentParser = (doc) => (name) => (name === '@request-target' ? [doc.target] : null);

async function verifyByFirst(doc, key) {
  const ok = await signatures.httpbis.verifyMessage({
    keyLookup: async () => ({ algs: [ALGORITHM], verify: async (data, signature) => verify('sha256', data, { key, dsaEncoding }, signature) }),
    notAfter: doc.now, tolerance: 1e9, requiredFields: doc.covers, componentParser: componentParser(doc),
  }, { method: doc.method, url: doc.url, headers: headersOf(doc) });
  assert.equal(ok, true, 'http-message-signatures');
}

async function verifyBySecond(doc, key) {
  await verifySignature(descriptor(doc), {
    policy: {
      algorithms: [ALGORITHM], requiredComponents: doc.covers, requiredParameters: ['created', 'expires', 'nonce'],
      maxAge: 60, clockSkew: 5, now: doc.now,
    },
    resolveVerifier: () => ({ algorithm: ALGORITHM, verify: (data, signature) => verify('sha256', data, { key, dsaEncoding }, signature) }),
  });
}

async function judge(doc) {
  const key = createPublicKey({ key: doc.jwk, format: 'jwk' });
  await verifyByFirst(doc, key);
  await verifyBySecond(doc, key);
  const digest = headersOf(doc)['content-digest'];
  if (digest !== undefined) assert.equal(digests.verifyContentDigest(Buffer.from(doc.body), digest), true, 'httpbis-digest-headers');
}

async function signByFirst(doc, fields, key) {
  const values = { ...doc.says, created: new Date(doc.says.created * 1000), expires: new Date(doc.says.expires * 1000) };
  const message = await signatures.httpbis.signMessage({
    key: { sign: async (data) => sign('sha256', data, { key, dsaEncoding }) },
    name: doc.label, fields: doc.covers, params: Object.keys(doc.says), paramValues: values, componentParser: componentParser(doc),
  }, { method: doc.method, url: doc.url, headers: headersOf({ fields }) });
  return ['Signature', 'Signature-Input'].map((name) => [name, message.headers[name]]);
}

async function signBySecond(doc, fields, key) {
  const made = await createSignature(descriptor({ ...doc, fields }), {
    label: doc.label, components: doc.covers, parameters: doc.says,
    signer: { algorithm: ALGORITHM, sign: (data) => sign('sha256', data, { key, dsaEncoding }) },
  });
  return [['Signature', made.signature], ['Signature-Input', made.signatureInput]];
}

async function make(doc) {
  const key = createPrivateKey({ key: doc.jwk, format: 'jwk' });
  const fields = [...doc.fields, ['Content-Digest', digests.createContentDigestHeader(doc.body, ['sha-512', 'sha-256'])]];
  return [
    { by: 'http-message-signatures', fields: [...fields, ...await signByFirst(doc, fields, key)] },
    { by: 'http-message-sig', fields: [...fields, ...await signBySecond(doc, fields, key)] },
  ];
}

try {
  const doc = JSON.parse(readFileSync(0, 'utf8'));
  if (process.argv[2] === 'sign') {
    console.log(JSON.stringify(await make(doc)));
  } else {
    await judge(doc);
    console.log(JSON.stringify({ ok: true }));
  }
} catch (error) {
  console.log(JSON.stringify({ ok: false, error: `${error.name}: ${error.message}` }));
  process.exitCode = 1;
}
