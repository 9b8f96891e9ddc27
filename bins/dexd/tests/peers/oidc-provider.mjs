// A foreign OpenID provider for the tests of the `oidc` connector: npm `oidc-provider` with one client and a login page that lets
// anybody in.
//
//   node oidc-provider.mjs --redirect-uri http://127.0.0.1:5556/dex/callback [options]
//
// Options, each also as an environment variable in capitals with `PEER_` in front (`--client-id` is `PEER_CLIENT_ID`):
//
//   --port            port on 127.0.0.1; 0 takes a free one                            (0)
//   --redirect-uri    where the client wants its codes; several with commas. Without
//                     a port in it, any port will do (RFC 8252 §7.3)                   (required)
//   --client-id       the client                                                       (dexd)
//   --client-secret   its secret                                                       (dexd-secret)
//   --stop-with-stdin ends when standard input is closed, so that no peer outlives its test
//
// Once it can be reached it prints one line on standard output: `listening on http://127.0.0.1:PORT`, which is also the issuer.
//
// What a client meets: PKCE with S256 is required; `offline_access` with `prompt=consent` gives a refresh token that rotates at each
// use; ID tokens are signed with RS256. What a browser meets: a page with the fields `#login` and `#password` and the button
// `#submit`; every name and password is right. The user NAME has the claims sub NAME, email NAME@upstream.example (verified), name
// "NAME of upstream", preferred_username NAME and groups ["staff", "NAME"].

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import Provider from 'oidc-provider';

const options = {
  port: { type: 'string', default: process.env.PEER_PORT ?? '0' },
  'redirect-uri': { type: 'string', default: process.env.PEER_REDIRECT_URI },
  'client-id': { type: 'string', default: process.env.PEER_CLIENT_ID ?? 'dexd' },
  'client-secret': { type: 'string', default: process.env.PEER_CLIENT_SECRET ?? 'dexd-secret' },
  'stop-with-stdin': { type: 'boolean', default: false },
};

const { values: args } = parseArgs({ options });
if (!args['redirect-uri']) {
  console.error('--redirect-uri is required');
  process.exit(2);
}

const redirectUris = args['redirect-uri'].split(',');
const anyPort = redirectUris.every((uri) => new URL(uri).port === '');

// The issuer names its port, so the port must be known before the provider is made.
const server = createServer();
server.listen(Number(args.port), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = newProvider(issuer);
  const answer = provider.callback();
  server.on('request', (request, response) => {
    const step = request.url.startsWith('/interaction/') ? interact(provider, request, response) : answer(request, response);
    Promise.resolve(step).catch((error) => fail(response, error));
  });
  console.log(`listening on ${issuer}`);
});
server.on('error', (error) => {
  console.error(`cannot listen on port ${args.port}: ${error.message}`);
  process.exit(1);
});

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
if (args['stop-with-stdin']) process.stdin.on('close', () => process.exit(0)).resume();

function newProvider(issuer) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: args['client-id'],
        client_secret: args['client-secret'],
        redirect_uris: redirectUris,
        application_type: anyPort ? 'native' : 'web',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username'],
      groups: ['groups'],
    },
    // Claims belong into the ID token as well: that is where connectors look first.
    conformIdTokenClaims: false,
    cookies: { keys: [randomBytes(32).toString('hex')] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: () => ({
        sub,
        email: `${sub}@upstream.example`,
        email_verified: true,
        name: `${sub} of upstream`,
        preferred_username: sub,
        groups: ['staff', sub],
      }),
    }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'peer' }] },
    pkce: { methods: ['S256'], required: () => true },
    rotateRefreshToken: true,
    scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
    ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 3600, RefreshToken: 86400, Session: 86400 },
  });
  // A test that fails wants to know why.
  for (const event of ['authorization.error', 'grant.error', 'server_error']) {
    provider.on(event, (_ctx, error) => console.error(`${event}: ${error.error_description ?? error.message}`));
  }
  return provider;
}

async function interact(provider, request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'consent') {
    const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    const result = { consent: { grantId: await grant.save() } };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
  }
  if (request.method === 'POST') {
    const form = new URLSearchParams(await body(request));
    const accountId = form.get('login');
    if (accountId) {
      return provider.interactionFinished(request, response, { login: { accountId } }, { mergeWithLastSubmission: false });
    }
  }
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(LOGIN_PAGE);
}

async function body(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > 10_000) throw new Error('form too large');
  }
  return text;
}

function fail(response, error) {
  console.error(error.stack);
  response.statusCode = 500;
  response.end('the peer failed; see its standard error');
}

const LOGIN_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Log in to the foreign provider</title></head>
<body>
<h1>The foreign provider</h1>
<form method="post">
<p><label for="login">Name</label> <input id="login" name="login" required autofocus></p>
<p><label for="password">Password</label> <input id="password" name="password" type="password"></p>
<p><button id="submit">Log in</button></p>
</form>
</body>
</html>
`;
