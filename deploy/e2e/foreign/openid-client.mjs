// The token service as openid-client sees it, with the checks that it makes by
// default. Usage: node openid-client.mjs STEP... ; each step is a function below.
//
//   ISSUER, NODE_EXTRA_CA_CERTS            whom it speaks to, and whom it trusts
//   CLIENT_ID, CLIENT_SECRET, AUDIENCE     a confidential client, and what it asks tokens for
//   KEY_CLIENT_ID, KEY_FILE                a client with a key in place of a secret
//   WEB_CLIENT_ID, WEB_CLIENT_SECRET       a client for people; public without a secret
//   REDIRECT_URI, SCOPE, WEB_AUDIENCE      its redirect URI on loopback, and what it asks for
//   SUBJECT_TOKEN, EXCHANGE_AUDIENCE       what CLIENT_ID exchanges, and for whom; default: the token of step code
import * as oidc from 'openid-client'
import { callback, key, must, refused, run, setting } from './wire.mjs'

const issuer = () => new URL(setting('ISSUER'))
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessToken = 'urn:ietf:params:oauth:token-type:access_token'

const confidential = (method = oidc.ClientSecretBasic) =>
  oidc.discovery(issuer(), setting('CLIENT_ID'), undefined, method(setting('CLIENT_SECRET')))

const web = () => {
  const secret = process.env.WEB_CLIENT_SECRET
  return oidc.discovery(issuer(), setting('WEB_CLIENT_ID'), undefined, secret ? oidc.ClientSecretBasic(secret) : oidc.None())
}

async function own(config, parameters) {
  const got = await oidc.clientCredentialsGrant(config, parameters)
  must(got.token_type === 'bearer', `the token type is ${got.token_type}`)
  must(got.expires_in > 0, `the token lives ${got.expires_in} seconds`)
  must(!got.refresh_token, 'client credentials gave a refresh token')
  return got
}

// signIn takes a person through authorization code with PKCE, state, nonce and
// iss; the one who started this opens the page.
async function signIn() {
  const config = await web()
  const checks = {
    pkceCodeVerifier: oidc.randomPKCECodeVerifier(),
    expectedState: oidc.randomState(),
    expectedNonce: oidc.randomNonce(),
    idTokenExpected: true,
  }
  const parameters = {
    redirect_uri: setting('REDIRECT_URI'),
    scope: setting('SCOPE'),
    code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
  }
  if (process.env.WEB_AUDIENCE) parameters.resource = process.env.WEB_AUDIENCE
  const came = await callback(parameters.redirect_uri, oidc.buildAuthorizationUrl(config, parameters).href)
  must(came.searchParams.get('iss') === setting('ISSUER'), `the response is of issuer ${came.searchParams.get('iss')} (RFC 9207)`)
  return { config, came, checks, got: await oidc.authorizationCodeGrant(config, came, checks) }
}

await run({
  // Both documents say the same, and name the issuer that they came from.
  async discovery() {
    const oauth = await oidc.discovery(issuer(), 'anybody', undefined, oidc.None(), { algorithm: 'oauth2' })
    const openid = await oidc.discovery(issuer(), 'anybody', undefined, oidc.None())
    must(JSON.stringify(oauth.serverMetadata()) === JSON.stringify(openid.serverMetadata()), 'the two metadata documents differ')
    return openid.serverMetadata()
  },

  async basic() {
    return own(await confidential(), { audience: setting('AUDIENCE') })
  },

  async post() {
    return own(await confidential(oidc.ClientSecretPost), { audience: setting('AUDIENCE') })
  },

  // RFC 8707 names the audience by "resource".
  async resource() {
    return own(await confidential(), { resource: setting('AUDIENCE') })
  },

  async jwt() {
    const config = await oidc.discovery(issuer(), setting('KEY_CLIENT_ID'), undefined, oidc.PrivateKeyJwt(await key()))
    return own(config, { audience: setting('AUDIENCE') })
  },

  async wrong_secret() {
    const config = await oidc.discovery(issuer(), setting('CLIENT_ID'), undefined, oidc.ClientSecretBasic('not the secret'))
    const error = await refused(oidc.clientCredentialsGrant(config, { audience: setting('AUDIENCE') }), 'a wrong secret was taken')
    must(error.error === 'invalid_client' || error.cause?.[0]?.parameters?.error === 'invalid_client' || error.status === 401, `the error is ${error}`)
  },

  async unknown_audience() {
    const error = await refused(oidc.clientCredentialsGrant(await confidential(), { audience: 'nowhere' }), 'an unknown audience was taken')
    must(error.error === 'invalid_target', `the error is ${error.error}: ${error}`)
  },

  // A code that comes a second time is a stolen one: it gives nothing.
  async code() {
    const { config, came, checks, got } = await signIn()
    const again = await refused(oidc.authorizationCodeGrant(config, came, checks), 'a code was redeemed twice')
    must(again.error === 'invalid_grant', `a code that was used gives ${again.error}: ${again}`)
    return { ...got, claims: got.claims() }
  },

  // For the steps that need a sign-in that lives: a replay ends what came of it.
  async signin() {
    const { got } = await signIn()
    return { ...got, claims: got.claims() }
  },

  // After signin: each refresh token serves once, and its reuse ends the family.
  async refresh({ signin }) {
    const config = await web()
    const first = await oidc.refreshTokenGrant(config, signin.refresh_token)
    must(first.refresh_token && first.refresh_token !== signin.refresh_token, 'the refresh token did not change')
    const second = await oidc.refreshTokenGrant(config, first.refresh_token)
    const reuse = await refused(oidc.refreshTokenGrant(config, first.refresh_token), 'a refresh token served twice')
    must(reuse.error === 'invalid_grant', `a refresh token that was used gives ${reuse.error}: ${reuse}`)
    const family = await refused(oidc.refreshTokenGrant(config, second.refresh_token), 'the family outlived the reuse')
    must(family.error === 'invalid_grant', `a refresh token of a dead family gives ${family.error}: ${family}`)
    return second
  },

  async exchange({ signin }) {
    const got = await oidc.genericGrantRequest(await confidential(), exchangeGrant, {
      subject_token: process.env.SUBJECT_TOKEN || signin.access_token,
      subject_token_type: accessToken,
      audience: setting('EXCHANGE_AUDIENCE'),
    })
    must(got.issued_token_type === accessToken, `the issued token type is ${got.issued_token_type} (RFC 8693 2.2.1)`)
    must(!got.refresh_token, 'an exchange gave a refresh token')
    return got
  },

  // RFC 7662 of a token of the client's own.
  async introspect() {
    const config = await confidential()
    const { access_token } = await own(config, { audience: setting('AUDIENCE') })
    const told = await oidc.tokenIntrospection(config, access_token)
    must(told.active === true, 'a token that was just issued is not active')
    const nonsense = await oidc.tokenIntrospection(config, 'nonsense')
    must(nonsense.active === false && Object.keys(nonsense).length === 1, `of nonsense it tells ${JSON.stringify(nonsense)}`)
    return told
  },

  // RFC 7009, and what introspection then says.
  async revoke() {
    const config = await confidential()
    const { access_token } = await own(config, { audience: setting('AUDIENCE') })
    await oidc.tokenRevocation(config, access_token)
    await oidc.tokenRevocation(config, access_token) // once more does no harm
    await oidc.tokenRevocation(config, 'nonsense')
    const told = await oidc.tokenIntrospection(config, access_token)
    must(told.active === false && Object.keys(told).length === 1, `of a revoked token it tells ${JSON.stringify(told)}`)
    return { access_token }
  },
})
