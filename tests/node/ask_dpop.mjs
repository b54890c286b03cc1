// A client of npm dpop, as an application would write it: asks a service with a token that is bound to its key, and once more
// where the service wants a nonce in its proofs.
//
// In: URL, the address that its host has, and ALG; then a line with the token, once the thumbprint of its key was said. Out: lines of JSON: {"thumbprint"}, then
// {"answers": [{"status", "challenge", "body"}…]} of each of three requests.
import './node18.mjs';
import https from 'node:https';
import { createInterface } from 'node:readline';
import * as dpop from 'dpop';

const [url, address, alg] = process.argv.slice(2);
const lookup = (host, options, told) => (options.all ? told(null, [{ address, family: 4 }]) : told(null, address, 4));
const pair = await dpop.generateKeyPair(alg);
console.log(JSON.stringify({ thumbprint: await dpop.calculateThumbprint(pair.publicKey) }));
const [token] = await new Promise((done) => createInterface({ input: process.stdin }).once('line', (line) => done([line])));
let nonce;

const send = (headers) => new Promise((done, failed) => {
  https.get(url, { headers, lookup }, (answer) => {
    const parts = [];
    answer.on('data', (part) => parts.push(part));
    answer.on('end', () => done({ answer, body: Buffer.concat(parts).toString() }));
  }).on('error', failed);
});

async function ask() {
  const proof = await dpop.generateProof(pair, url.split('?')[0], 'GET', nonce, token);
  const { answer, body } = await send({ authorization: `DPoP ${token}`, dpop: proof });
  nonce = answer.headers['dpop-nonce'] ?? nonce;
  return { status: answer.statusCode, challenge: answer.headers['www-authenticate'] ?? '', body };
}

for (let i = 0; i < 3; i++) {
  const answers = [await ask()];
  if (answers[0].status === 401 && answers[0].challenge.includes('use_dpop_nonce')) answers.push(await ask());
  console.log(JSON.stringify({ answers }));
}
