// Proofs made by a stranger (npm dpop), and by jose where it would not, for Holdfast's gate to judge.
//
// Out: {"rows": [{"name", "method", "path", "token", "proof", "thumbprint", "at", "verdict"}…]}: each for a request to
//      https://orders.example, judged at the second `at`; verdict is the reason that Holdfast must give, or "ok".
import './node18.mjs';
import { createHash, randomUUID } from 'node:crypto';
import * as dpop from 'dpop';
import { SignJWT, UnsecuredJWT, decodeJwt, exportJWK, generateKeyPair } from 'jose';

const ORIGIN = 'https://orders.example';
const TOKEN = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU';
const rows = [];

const epoch = () => Math.floor(Date.now() / 1000);
const digest = (text) => createHash('sha256').update(text).digest('base64url');
const add = (name, verdict, proof, thumbprint, { later = 0, method = 'POST' } = {}) => rows.push({
  name, verdict, proof, thumbprint, method, path: '/v1/orders', token: TOKEN, at: decodeJwt(proof).iat + later,
});

// Whoever says Ed25519 in place of EdDSA is understood.
for (const alg of ['ES256', 'Ed25519', 'RS256', 'PS256']) {
  const pair = await dpop.generateKeyPair(alg, { extractable: true });
  const thumbprint = await dpop.calculateThumbprint(pair.publicKey);
  const prove = (uri, token = TOKEN) => dpop.generateProof(pair, uri, 'POST', undefined, token);
  const good = await prove(`${ORIGIN}/v1/orders`);
  add(`${alg}`, 'ok', good, thumbprint);
  add(`${alg}, copied`, 'proof_replayed', good, thumbprint);
  add(`${alg}, for another path`, 'proof_audience', await prove(`${ORIGIN}/v1/other`), thumbprint);
  add(`${alg}, for another token`, 'proof_authorization', await prove(`${ORIGIN}/v1/orders`, 'x'), thumbprint);
  add(`${alg}, for another key`, 'proof_key', await prove(`${ORIGIN}/v1/orders`), digest('x'));
  add(`${alg}, for another method`, 'proof_method', await prove(`${ORIGIN}/v1/orders`), thumbprint, { method: 'GET' });
  add(`${alg}, old`, 'proof_expired', await prove(`${ORIGIN}/v1/orders`), thumbprint, { later: 61 });
  add(`${alg}, early`, 'proof_not_yet', await prove(`${ORIGIN}/v1/orders`), thumbprint, { later: -6 });
}

const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
const jwk = await exportJWK(publicKey);
const thumbprint = digest(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }));
const claims = () => ({
  htm: 'POST', htu: `${ORIGIN}/v1/orders`, iat: epoch(), jti: randomUUID(), ath: digest(TOKEN),
});
const sign = (header, key = privateKey) =>
  new SignJWT(claims()).setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header }).sign(key);

add('jose', 'ok', await sign({}), thumbprint);
add('unsecured', 'proof_algorithm', new UnsecuredJWT(claims()).encode(), thumbprint);
add('HS256 with the public key for a secret', 'proof_algorithm',
  await sign({ alg: 'HS256' }, Buffer.from(jwk.x + jwk.y)), thumbprint);
add('typ JWT', 'proof_type', await sign({ typ: 'JWT' }), thumbprint);
add('no key', 'proof_malformed', await sign({ jwk: undefined }), thumbprint);
add('the whole key', 'proof_private_key', await sign({ jwk: await exportJWK(privateKey) }), thumbprint);
add('by another than the key shown', 'proof_signature',
  await sign({}, (await generateKeyPair('ES256')).privateKey), thumbprint);

console.log(JSON.stringify({ rows }));
