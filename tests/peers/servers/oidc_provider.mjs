// An OpenID provider (oidc-provider) on a port of its own, for hubs on loopback.
//
// node oidc_provider.mjs MODULES
//
// The first line it says is { issuer }. Then it does what each line of its input says, and answers with a line:
//   { sign: "ES256" }  access tokens are signed so from now on (RS256 at first)
//   { opaque: true }   access tokens are opaque from now on
//   { rotate: true }   new keys; the old ones are gone
//   { skew: 120 }      its clock goes wrong by so many seconds
// It ends with its input.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import http from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { Provider } = await import(pathToFileURL(`${process.argv[2]}/oidc-provider/lib/index.js`));
const SCOPES = ['mcp:use', 'mcp:admin'];
const KEYS = [
  ['RS256', 'rsa', { modulusLength: 2048 }],
  ['PS256', 'rsa', { modulusLength: 2048 }],
  ['ES256', 'ec', { namedCurve: 'P-256' }],
  ['EdDSA', 'ed25519', {}],
];
const state = { sign: 'RS256', opaque: false, skew: 0 };
const rightly = Date.now.bind(Date);
Date.now = () => rightly() + state.skew * 1000;

function keys() {
  return KEYS.map(([alg, kind, options]) => {
    const { privateKey } = generateKeyPairSync(kind, options);
    return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${randomUUID()}` };
  });
}

function provider(issuer) {
  return new Provider(issuer, {
    jwks: { keys: keys() },
    scopes: ['openid', 'offline_access', ...SCOPES],
    clients: [
      {
        client_id: 'program', client_secret: 'program-secret', grant_types: ['client_credentials'], redirect_uris: [],
        response_types: [], scope: SCOPES.join(' '),
      },
      { client_id: 'hub', client_secret: 'hub-secret', grant_types: [], redirect_uris: [], response_types: [] },
    ],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: (_, token) => ({ groups: [token.accountId ? 'people' : 'programs'] }),
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      registration: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === 'hub' },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: SCOPES.join(' '), audience: resource, accessTokenTTL: 300,
          accessTokenFormat: state.opaque ? 'opaque' : 'jwt', jwt: { sign: { alg: state.sign } },
        }),
      },
    },
    pkce: { required: () => true },
    cookies: { keys: [randomUUID()] },
    enabledJWA: { requestObjectSigningAlgValues: [] },
    ttl: { AccessToken: 300, ClientCredentials: 300, Grant: 300, Interaction: 300, Session: 300, IdToken: 300, RefreshToken: 300 },
  });
}

let answering = (_, response) => response.writeHead(503).end();
const server = http.createServer((request, response) => answering(request, response));
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
  answering = provider(issuer).callback();
  say({ issuer });
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const { rotate, ...changes } = JSON.parse(line);
      Object.assign(state, changes);
      if (rotate) answering = provider(issuer).callback();
      say({ done: true });
    })
    .on('close', () => process.exit(0));
});
