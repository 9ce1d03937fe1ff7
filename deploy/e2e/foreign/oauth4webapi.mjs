// Our access tokens as a resource server sees them that is built on
// oauth4webapi, and the token endpoint once more, with its lower-level calls.
// Usage: node oauth4webapi.mjs STEP... ; the environment is that of
// openid-client.mjs, and ACCESS_TOKEN, in place of one of its own.
import * as oauth from 'oauth4webapi'
import { key, must, refused, run, setting } from './wire.mjs'

const issuer = new URL(setting('ISSUER'))
const discovered = async () => oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' }))

async function own(id, method) {
  const as = await discovered()
  const client = { client_id: id }
  const response = await oauth.clientCredentialsGrantRequest(as, client, method, new URLSearchParams({ audience: setting('AUDIENCE') }))
  return oauth.processClientCredentialsResponse(as, client, response)
}

const token = async () =>
  process.env.ACCESS_TOKEN ?? (await own(setting('CLIENT_ID'), oauth.ClientSecretBasic(setting('CLIENT_SECRET')))).access_token

const judge = async (bearer, audience) =>
  oauth.validateJwtAccessToken(await discovered(), new Request('https://resource.test/', { headers: { Authorization: `Bearer ${bearer}` } }), audience)

await run({
  async basic() {
    return own(setting('CLIENT_ID'), oauth.ClientSecretBasic(setting('CLIENT_SECRET')))
  },

  async post() {
    return own(setting('CLIENT_ID'), oauth.ClientSecretPost(setting('CLIENT_SECRET')))
  },

  async jwt() {
    return own(setting('KEY_CLIENT_ID'), oauth.PrivateKeyJwt(await key()))
  },

  // RFC 9068, with every claim that it demands.
  async accepts() {
    return judge(await token(), setting('AUDIENCE'))
  },

  async rejects_another_audience() {
    await refused(judge(await token(), 'somebody-else'), 'a token for somebody else was accepted')
  },

  // One bit of the claims, of the header, of the signature.
  async rejects_tampered() {
    const parts = (await token()).split('.')
    for (const i of [0, 1, 2]) {
      const bytes = Buffer.from(parts[i], 'base64url')
      for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
        const changed = Buffer.from(bytes)
        changed[at] ^= 1
        const forged = parts.map((part, j) => (j === i ? changed.toString('base64url') : part)).join('.')
        await refused(judge(forged, setting('AUDIENCE')), `byte ${at} of part ${i} was changed, and the token accepted`)
      }
    }
    const unsigned = [Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url'), parts[1], ''].join('.')
    await refused(judge(unsigned, setting('AUDIENCE')), 'a token without a signature was accepted')
  },
})
