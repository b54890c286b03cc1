// A stranger's judgement on the access token and DPoP proof of a request: oauth4webapi, as a resource server.
//
// In:  {"now", "issuer", "audience", "jwks", "method", "url", "authorization", "dpop"}
// Out: {"ok": true, "subject", "thumbprint"} and exit 0, or {"ok": false, "error"} and exit 1.
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as oauth from 'oauth4webapi';

globalThis.crypto ??= webcrypto; // Debian 12's own Node 18 has it, but not as a global

try {
  const doc = JSON.parse(readFileSync(0, 'utf8'));
  const as = { issuer: doc.issuer, jwks_uri: `${doc.issuer}/jwks` };
  const request = new Request(doc.url, {
    method: doc.method, headers: { authorization: doc.authorization, dpop: doc.dpop },
  });
  const claims = await oauth.validateJwtAccessToken(as, request, doc.audience, {
    requireDPoP: true,
    [oauth.clockSkew]: doc.now - Math.floor(Date.now() / 1000),
    [oauth.customFetch]: async () => new Response(JSON.stringify(doc.jwks), {
      headers: { 'content-type': 'application/json' },
    }),
  });
  console.log(JSON.stringify({ ok: true, subject: claims.sub, thumbprint: claims.cnf.jkt }));
} catch (error) {
  console.log(JSON.stringify({ ok: false, error: `${error.name}: ${error.message}` }));
  process.exitCode = 1;
}
