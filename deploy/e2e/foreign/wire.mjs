// What the scripts share: settings from the environment, steps from the command
// line, one line of JSON for each thing that the one who started them must know.
import { webcrypto } from 'node:crypto'
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'

// Node 18, which Debian 12 has, does not show by itself what the clients look for.
globalThis.crypto ??= webcrypto
globalThis.CryptoKey ??= webcrypto.CryptoKey

// setting is a variable of the environment that a step cannot do without.
export function setting(name) {
  const value = process.env[name]
  if (!value) throw new Error(`the environment has no ${name}`)
  return value
}

// key reads a client's private key: PKCS #8 in PEM, on P-256.
export async function key() {
  const pem = await readFile(setting('KEY_FILE'), 'utf8')
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  return crypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
}

export function say(line) {
  process.stdout.write(JSON.stringify(line) + '\n')
}

export function must(holds, sentence) {
  if (!holds) throw new Error(sentence)
}

// refused gives the error of a promise that must fail.
export async function refused(promise, sentence) {
  let value
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new Error(`${sentence}: it gave ${JSON.stringify(value)}`)
}

// callback listens where a redirect URI on loopback points, tells of the page
// that a person must go to first, and gives the URL that they came back with.
export async function callback(redirect, authorize) {
  const at = new URL(redirect)
  const server = createServer()
  const came = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('nobody came back within a minute')), 60_000)
    server.on('error', reject)
    server.on('request', (request, response) => {
      const url = new URL(request.url, redirect)
      if (url.pathname !== at.pathname) {
        response.writeHead(404).end() // a browser asks for icons too
        return
      }
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
      response.end('<!doctype html><title>Done</title><p>You are signed in: go back to the program.</p>')
      clearTimeout(late)
      resolve(url)
    })
  })
  await new Promise((resolve) => server.listen(Number(at.port), at.hostname, resolve))
  say({ authorize })
  try {
    return await came
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

// run does the steps that the command line names, in that order, and tells what
// each found. Whatever fails ends it with exit code 1.
export async function run(steps) {
  const found = {}
  try {
    for (const name of process.argv.slice(2)) {
      must(steps[name], `there is no step "${name}": there are ${Object.keys(steps).join(', ')}`)
      try {
        found[name] = (await steps[name](found)) ?? {}
      } catch (error) {
        error.message = `${name}: ${error.message}`
        throw error
      }
    }
    say({ ok: true, steps: found })
  } catch (error) {
    say({ ok: false, error: error.message, code: error.code, cause: String(error.cause?.body ?? error.cause ?? error.error_description ?? '') })
    process.exitCode = 1
  }
}
