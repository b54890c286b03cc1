// A stranger's judgement on the access token and DPoP proof of a request: oauth4webapi, as a resource server.
//
// In:  {"now", "issuer", "audience", "jwks", "method", "url", "authorization", "dpop"?}
// Out: {"ok": true, "subject", "thumbprint", "claims"} and exit 0, or {"ok": false, "error"} and exit 1.
// Several at once: {"rows": [as above…]}; out come the verdicts, {"rows": […]}. It does not remember what it has seen.
import './node18.mjs';
import { readFileSync } from 'node:fs';
import * as oauth from 'oauth4webapi';

async function judge(doc) {
  const as = { issuer: doc.issuer, jwks_uri: `${doc.issuer}/jwks` };
  const headers = { authorization: doc.authorization, ...(doc.dpop && { dpop: doc.dpop }) };
  try {
    const claims = await oauth.validateJwtAccessToken(as, new Request(doc.url, { method: doc.method, headers }), doc.audience, {
      requireDPoP: true,
      [oauth.clockSkew]: doc.now - Math.floor(Date.now() / 1000),
      [oauth.customFetch]: async () => new Response(JSON.stringify(doc.jwks), {
        headers: { 'content-type': 'application/json' },
      }),
    });
    return { ok: true, subject: claims.sub, thumbprint: claims.cnf.jkt, claims };
  } catch (error) {
    return { ok: false, error: `${error.name}: ${error.message}` };
  }
}

const doc = JSON.parse(readFileSync(0, 'utf8'));
const verdict = doc.rows ? { ok: true, rows: await Promise.all(doc.rows.map(judge)) } : await judge(doc);
console.log(JSON.stringify(verdict));
process.exitCode = verdict.ok ? 0 : 1;
