// Tokens and proofs made by a stranger, honest and hostile, for Holdfast's gate to judge.
//
// In:  {"now"}
// Out: {"jwks": [{"domain", "keys"}…], "rows": [{"name", "wit", "wpt", "verdict"}…]}: each for
//      POST https://orders.example/v1/orders?tenant=7 with the body {"item":1}; verdict is the reason
//      that Holdfast must give, or "ok".
import './node18.mjs';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  FlattenedSign, SignJWT, UnsecuredJWT, calculateJwkThumbprint, exportJWK, generateKeyPair,
} from 'jose';

const { now } = JSON.parse(readFileSync(0, 'utf8'));
const rows = [];

const digest = (text) => createHash('sha256').update(text).digest('base64url');

async function pair(alg) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return { alg, jwk, privateKey, kid: await calculateJwkThumbprint(jwk) };
}

const authority = await pair('ES256');
const edwards = await pair('EdDSA');
const other = await pair('ES256');
const holder = await pair('ES256');
const edHolder = await pair('EdDSA');
const thief = await pair('ES256');
const rsa = await pair('RS256');
const p384 = await pair('ES384');

const witClaims = (jwk, alg, more) => ({
  iss: 'spiffe://prod.example', sub: 'spiffe://prod.example/ns/agents/sa/builder', iat: now, exp: now + 900,
  jti: randomBytes(16).toString('base64url'), cnf: { jwk: { ...jwk, alg } },
  'https://holdfast.dev/claims/ctx': { grant: 'g', owner: 'o', purpose: 'p', task: 't' }, ...more,
});

const wptClaims = (wit, more) => ({
  aud: 'https://orders.example/v1/orders', exp: now + 30, jti: randomBytes(16).toString('base64url'), wth: digest(wit),
  'https://holdfast.dev/claims/req': { method: 'POST', query: digest('tenant=7'), body: digest('{"item":1}') }, ...more,
});

const jwt = (claims, header, key) => new SignJWT(claims).setProtectedHeader(header).sign(key);

const goodWit = (more = {}, by = authority, whose = holder, alg = whose.alg) =>
  jwt(witClaims(whose.jwk, alg, more), { alg: by.alg, kid: by.kid, typ: 'wit+jwt' }, by.privateKey);

const goodWpt = (wit, more = {}, by = holder, alg = by.alg) =>
  jwt(wptClaims(wit, more), { alg, typ: 'wpt+jwt' }, by.privateKey);

const add = (name, verdict, wit, wpt) => rows.push({ name, verdict, wit, wpt });

const wit = await goodWit();
const wpt = await goodWpt(wit);

async function honest() {
  add('ES256 throughout', 'ok', wit, wpt);
  const ed = await goodWit({}, edwards);
  add('authority with EdDSA', 'ok', ed, await goodWpt(ed));
  for (const alg of ['EdDSA', 'Ed25519']) {
    const w = await goodWit({}, authority, edHolder, alg);
    add(`workload with ${alg}`, 'ok', w, await goodWpt(w, {}, edHolder, alg));
  }
  const wimse = await goodWit({ iss: 'wimse://prod.example', sub: 'wimse://prod.example/builder' });
  add('wimse identifiers', 'ok', wimse, await goodWpt(wimse));
}

async function hostileTokens() {
  const claims = witClaims(holder.jwk, 'ES256', {});
  const sign = (header, key, by = claims) => jwt(by, { typ: 'wit+jwt', kid: authority.kid, ...header }, key);
  const secret = Buffer.from(authority.jwk.x + authority.jwk.y);
  const cases = [
    ['unsecured', 'token_algorithm', new UnsecuredJWT(claims).encode()],
    ['HS256 with the public key for a secret', 'token_algorithm', await sign({ alg: 'HS256' }, secret)],
    ['RS256', 'token_algorithm', await sign({ alg: 'RS256' }, rsa.privateKey)],
    ['ES384', 'token_algorithm', await sign({ alg: 'ES384' }, p384.privateKey)],
    ['EdDSA under the kid of a P-256 key', 'token_algorithm', await sign({ alg: 'EdDSA' }, edwards.privateKey)],
    ["another key, our authority's kid", 'token_signature', await sign({ alg: 'ES256' }, thief.privateKey)],
    ['another key, embedded', 'token_signature', await sign({ alg: 'ES256', jwk: thief.jwk }, thief.privateKey)],
    ["another key, its own kid", 'token_untrusted', await sign({ alg: 'ES256', kid: thief.kid }, thief.privateKey)],
    ["another domain's key and kid", 'token_untrusted', await goodWit({}, other)],
    ['typ JWT', 'token_type', await sign({ alg: 'ES256', typ: 'JWT' }, authority.privateKey)],
    ['expired', 'token_expired', await goodWit({ exp: now - 60 })],
    ['not yet', 'token_not_yet', await goodWit({ nbf: now + 60 })],
    ['for ever', 'token_malformed', await goodWit({ exp: undefined })],
    ['exp beyond all clocks', 'token_malformed', await goodWit({ exp: 1e300 })],
    ['an audience', 'token_malformed', await goodWit({ aud: 'https://orders.example' })],
    ['subject of another domain', 'token_untrusted', await goodWit({ sub: 'spiffe://other.example/x' })],
    ['subject not listed', 'token_subject', await goodWit({ sub: 'spiffe://prod.example/ns/people/x' })],
    ['the whole key in cnf', 'token_malformed',
      await goodWit({ cnf: { jwk: { ...(await exportJWK(holder.privateKey)), alg: 'ES256' } } })],
    ['an RSA key in cnf', 'token_malformed', await goodWit({ cnf: { jwk: { ...rsa.jwk, alg: 'RS256' } } })],
    ['a P-384 key in cnf', 'token_malformed', await goodWit({ cnf: { jwk: { ...p384.jwk, alg: 'ES384' } } })],
    ['cnf without alg', 'token_malformed', await goodWit({ cnf: { jwk: holder.jwk } })],
    ['cnf a thumbprint', 'token_malformed', await goodWit({ cnf: { jkt: holder.kid } })],
    ['no context', 'context_missing', await goodWit({ 'https://holdfast.dev/claims/ctx': undefined })],
  ];
  for (const [name, verdict, token] of cases) add(`token: ${name}`, verdict, token, await goodWpt(token));

  const flattened = await new FlattenedSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'ES256', typ: 'wit+jwt', kid: authority.kid }).sign(authority.privateKey);
  add('token: JSON serialisation', 'token_malformed', JSON.stringify(flattened), wpt);
  add('token: padded', 'token_malformed', `${wit}==`, wpt);
}

async function hostileProofs() {
  const claims = wptClaims(wit, {});
  const sign = (header, key, by = claims) => jwt(by, { alg: 'ES256', typ: 'wpt+jwt', ...header }, key);
  const plain = await new FlattenedSign(Buffer.from('%7B%7D'))
    .setProtectedHeader({ alg: 'ES256', typ: 'wpt+jwt', b64: false, crit: ['b64'] }).sign(holder.privateKey);
  const cases = [
    ['unsecured', 'proof_algorithm', new UnsecuredJWT(claims).encode()],
    ['HS256', 'proof_algorithm', await sign({ alg: 'HS256' }, Buffer.from(holder.jwk.x + holder.jwk.y))],
    ["another workload's key", 'proof_signature', await sign({}, thief.privateKey)],
    ['another key, embedded', 'proof_signature', await sign({ jwk: thief.jwk }, thief.privateKey)],
    ["the authority's key", 'proof_signature', await sign({}, authority.privateKey)],
    ['typ dpop+jwt', 'proof_type', await sign({ typ: 'dpop+jwt' }, holder.privateKey)],
    ['no typ', 'proof_type', await sign({ typ: undefined }, holder.privateKey)],
    ['payload not encoded', 'proof_malformed', `${plain.protected}.%7B%7D.${plain.signature}`],
    ['for another token', 'proof_token', await goodWpt(`${wit}x`)],
    ['for another service', 'proof_audience', await goodWpt(wit, { aud: 'https://evil.example/v1/orders' })],
    ['for several services', 'proof_audience',
      await goodWpt(wit, { aud: ['https://orders.example/v1/orders', 'https://evil.example'] })],
    ['with the query in aud', 'proof_audience', await goodWpt(wit, { aud: 'https://orders.example/v1/orders?tenant=7' })],
    ['expired', 'proof_expired', await goodWpt(wit, { exp: now - 60 })],
    ['for a day', 'proof_too_long', await goodWpt(wit, { exp: now + 86400 })],
    ['for ever', 'proof_malformed', await goodWpt(wit, { exp: undefined })],
    ['not yet', 'proof_not_yet', await goodWpt(wit, { nbf: now + 60 })],
    ['no id', 'proof_malformed', await goodWpt(wit, { jti: undefined })],
    ['an id of 10,000 bytes', 'proof_malformed', await goodWpt(wit, { jti: 'x'.repeat(10000) })],
    ['covers an access token that is not there', 'proof_authorization', await goodWpt(wit, { ath: digest('x') })],
    ['covers other tokens that are not there', 'proof_other_token', await goodWpt(wit, { oth: { 'x-api-key': digest('x') } })],
    ['of a plain WIMSE peer', 'proof_request', await goodWpt(wit, { 'https://holdfast.dev/claims/req': undefined })],
  ];
  for (const [name, verdict, proof] of cases) add(`proof: ${name}`, verdict, wit, proof);

  const ed = await goodWit({}, authority, edHolder, 'EdDSA');
  add("proof: the key's other name", 'proof_algorithm', ed, await goodWpt(ed, {}, edHolder, 'Ed25519'));
  add('proof: the token itself', 'proof_type', wit, wit);
  add('proof: copied', 'proof_replayed', wit, wpt);
}

const trusted = (domain, keys) => ({ domain, keys: keys.map(({ jwk, kid }) => ({ ...jwk, kid })) });

await honest();
await hostileTokens();
await hostileProofs();
console.log(JSON.stringify({
  jwks: [trusted('prod.example', [authority, edwards]), trusted('other.example', [other])], rows,
}));
