// A stranger's judgement on what Holdfast issues and presents, with jose alone.
//
// In:  {"now", "jwks", "wit", "wpt", "issuer", "subject", "audience", "method", "query"?, "body"?, "context"}
// Out: {"ok": true, "thumbprint", "jti"} and exit 0, or {"ok": false, "error"} and exit 1.
import './node18.mjs';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { calculateJwkThumbprint, createLocalJWKSet, decodeProtectedHeader, importJWK, jwtVerify } from 'jose';

const CONTEXT = 'https://holdfast.dev/claims/ctx';
const REQUEST = 'https://holdfast.dev/claims/req';

const digest = (text) => createHash('sha256').update(text).digest('base64url');

async function verifyWit(doc, currentDate) {
  const { payload, protectedHeader } = await jwtVerify(doc.wit, createLocalJWKSet(doc.jwks), {
    algorithms: ['ES256'], typ: 'wit+jwt', issuer: doc.issuer, subject: doc.subject,
    requiredClaims: ['sub', 'iat', 'exp', 'jti', 'cnf'], currentDate,
  });
  assert.deepEqual(Object.keys(protectedHeader).sort(), ['alg', 'kid', 'typ']);
  assert.equal(protectedHeader.kid, await calculateJwkThumbprint(doc.jwks.keys[0]));
  assert.equal(payload.aud, undefined);
  assert.deepEqual(Object.keys(payload.cnf.jwk).sort(), ['alg', 'crv', 'kty', 'x', 'y']);
  assert.deepEqual(payload[CONTEXT], doc.context);
  return payload.cnf.jwk;
}

async function verifyWpt(doc, jwk, currentDate) {
  assert.equal(decodeProtectedHeader(doc.wpt).alg, jwk.alg);
  const { payload } = await jwtVerify(doc.wpt, await importJWK(jwk), {
    algorithms: [jwk.alg], typ: 'wpt+jwt', audience: doc.audience,
    requiredClaims: ['aud', 'exp', 'jti', 'wth'], currentDate,
  });
  assert.equal(typeof payload.aud, 'string');
  assert.ok(payload.exp - doc.now <= 60, 'exp is far ahead');
  assert.equal(Buffer.from(payload.jti, 'base64url').length, 16);
  assert.equal(payload.wth, digest(doc.wit));
  const request = { method: doc.method };
  if (doc.query !== undefined) request.query = digest(doc.query);
  if (doc.body !== undefined) request.body = digest(doc.body);
  assert.deepEqual(payload[REQUEST], request);
  return payload.jti;
}

try {
  const doc = JSON.parse(readFileSync(0, 'utf8'));
  const currentDate = new Date(doc.now * 1000);
  const jwk = await verifyWit(doc, currentDate);
  const jti = await verifyWpt(doc, jwk, currentDate);
  console.log(JSON.stringify({ ok: true, thumbprint: await calculateJwkThumbprint(jwk), jti }));
} catch (error) {
  console.log(JSON.stringify({ ok: false, error: `${error.name}: ${error.message}` }));
  process.exitCode = 1;
}
