// A real authorization server: oidc-provider over TLS, in memory, until its parent has gone.
//
// node as_provider.mjs, with one line of JSON on standard input, which stays open as long as the server is wanted:
//   {"address", "port" (0: the kernel's choice), "name", "certificate", "key": files, "clients_ca": file or null,
//    "nonce": whether proofs need one, "life": seconds, "clients": [client metadata of oidc-provider…],
//    "resources": {"URI": "jwt" or "opaque"…}, "subjects": {"issuer", "jwks"}: whose tokens are exchanged, or null}
// Says {"port", "issuer"} first, then one line for each token it gave, each request it refused, each token it took back, and for
// each GET /mark, so that who reads them knows how far he is.
import './node18.mjs';
import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import readline from 'node:readline';

console.info = console.warn = () => {}; // oidc-provider's advice to those who run it for good
const { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify } = await import('jose');
const { default: Provider, errors } = await import('oidc-provider');

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const DETAILS = 'https://holdfast.dev/rar/grant';
const SCOPES = ['orders:read', 'orders:write'];

const lines = readline.createInterface({ input: process.stdin });
const told = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
process.stdin.resume().on('end', () => process.exit(0)).on('close', () => process.exit(0));

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const shown = (ctx) => ctx.req.socket.getPeerCertificate().raw;

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig' };
}

const mTLS = {
  enabled: told.clients_ca !== null, certificateBoundAccessTokens: true, selfSignedTlsClientAuth: true, tlsClientAuth: true,
  getCertificate: (ctx) => (shown(ctx) ? new X509Certificate(shown(ctx)).toString() : undefined),
  certificateAuthorized: (ctx) => ctx.req.socket.authorized,
  certificateSubjectMatches: (ctx, property, expected) =>
    property === 'tls_client_auth_san_uri'
    && new X509Certificate(shown(ctx)).subjectAltName === `URI:${expected}`,
};

const richAuthorizationRequests = {
  enabled: true,
  types: { [DETAILS]: { validate() {} } },
  authorizationDetailsForGrantSource: () => undefined,
  authorizationDetailsForAccessToken: (ctx) =>
    ctx.oidc.params.authorization_details && JSON.parse(ctx.oidc.params.authorization_details),
  authorizationDetailsForIntrospection: (ctx, token) => token.rar,
};

function resource(ctx, indicator) {
  const accessTokenFormat = told.resources[indicator];
  if (accessTokenFormat === undefined) throw new errors.InvalidTarget();
  return { scope: SCOPES.join(' '), audience: indicator, accessTokenTTL: told.life, accessTokenFormat,
           jwt: { sign: { alg: 'ES256' } } };
}

const exchanged = new WeakMap(); // for whom: the claims of a token that another was exchanged for

const configuration = {
  clients: told.clients, jwks: { keys: [await signingKey('ES256')] }, scopes: SCOPES,
  ttl: { ClientCredentials: told.life },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt',
                      ...(mTLS.enabled ? ['tls_client_auth', 'self_signed_tls_client_auth'] : [])],
  clientDefaults: {
    grant_types: ['client_credentials', ...(told.subjects ? [EXCHANGE] : [])], redirect_uris: [], response_types: [],
    id_token_signed_response_alg: 'ES256', authorization_details_types: [DETAILS],
  },
  extraTokenClaims: (ctx) => exchanged.get(ctx),
  features: {
    devInteractions: { enabled: false }, clientCredentials: { enabled: true }, mTLS, richAuthorizationRequests,
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => told.nonce },
    introspection: { enabled: true }, revocation: { enabled: true },
    resourceIndicators: { enabled: true, defaultResource: (ctx, client, one) => one, getResourceServerInfo: resource },
  },
};

const server = https.createServer({
  cert: readFileSync(told.certificate), key: readFileSync(told.key),
  ...(told.clients_ca && { ca: readFileSync(told.clients_ca), requestCert: true, rejectUnauthorized: false }),
});
await new Promise((ready) => server.listen(told.port, told.address, ready));
const { port } = server.address();
const issuer = `https://${told.name}${port === 443 ? '' : `:${port}`}`;
const provider = new Provider(issuer, configuration);

if (told.subjects !== null) {
  const keys = createLocalJWKSet(told.subjects.jwks);
  provider.registerGrantType(EXCHANGE, async (ctx) => {
    const { params, client } = ctx.oidc;
    const options = { issuer: told.subjects.issuer, audience: issuer };
    const verified = (token) => jwtVerify(token, keys, options).catch(() => { throw new errors.InvalidGrant('subject token'); });
    const subject = (await verified(params.subject_token)).payload.sub;
    const { default: validateDpop, checkDpopReplay } = await import('./node_modules/oidc-provider/lib/helpers/validate_dpop.js');
    const proof = await validateDpop(provider, ctx);
    const token = new provider.ClientCredentials({ client, scope: params.scope });
    exchanged.set(ctx, { act: { sub: subject } });
    if (proof) {
      await checkDpopReplay(provider, ctx, proof, client.clientId);
      token.setThumbprint('jkt', proof.thumbprint);
    }
    ctx.oidc.entity('ClientCredentials', token);
    ctx.body = { access_token: await token.save(), issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
                 expires_in: token.expiration, token_type: token.tokenType, scope: token.scope };
  }, ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'scope', 'audience',
      'resource'], ['resource', 'audience']);
}

provider.on('grant.success', (ctx) => say({ event: 'granted', client: ctx.oidc.client.clientId, type: ctx.body.token_type,
                                            details: ctx.body.authorization_details, actor: ctx.oidc.params.actor_token !== undefined }));
provider.on('grant.error', (ctx, error) => say({ event: 'refused', error: error.error, why: error.error_description }));
provider.on('revocation.error', (ctx, error) => say({ event: 'not revoked', error: error.error, why: error.error_description }));
provider.on('client_credentials.destroyed', (token) => say({ event: 'revoked', client: token.clientId }));
provider.on('server_error', (ctx, error) => say({ event: 'fault', why: String(error.stack) }));
server.on('request', (request) => request.url === '/mark' && say({ event: 'mark' }));
server.on('request', provider.callback());
say({ port, issuer });
