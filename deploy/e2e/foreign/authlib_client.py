"""The token service as Debian's Authlib sees it.

Usage: /usr/bin/python3 authlib_client.py STEP... ; each step is a function
below. The environment is that of openid-client.mjs, with REQUESTS_CA_BUNDLE for
whom it trusts.
"""

import http.server
import json
import os
import sys
import threading
import time
import urllib.parse

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT


def setting(name):
    value = os.environ.get(name)
    if not value:
        raise KeyError(f"the environment has no {name}")
    return value


def say(line):
    print(json.dumps(line), flush=True)


def must(holds, sentence):
    if not holds:
        raise AssertionError(sentence)


def metadata():
    answer = requests.get(setting("ISSUER") + "/.well-known/oauth-authorization-server", timeout=30)
    answer.raise_for_status()
    found = answer.json()
    must(found["issuer"] == setting("ISSUER"), f"the metadata are of {found['issuer']}")
    return found


def confidential(method="client_secret_basic"):
    return OAuth2Session(setting("CLIENT_ID"), setting("CLIENT_SECRET"), token_endpoint_auth_method=method)


def own(session):
    token = session.fetch_token(metadata()["token_endpoint"], grant_type="client_credentials", audience=setting("AUDIENCE"))
    must(token["token_type"].lower() == "bearer" and token["expires_in"] > 0, f"the token is {token}")
    return dict(token)


def discovery(_):
    return metadata()


def basic(_):
    return own(confidential())


def post(_):
    return own(confidential("client_secret_post"))


def jwt(_):
    with open(setting("KEY_FILE"), encoding="ascii") as file:
        session = OAuth2Session(setting("KEY_CLIENT_ID"), file.read(), token_endpoint_auth_method="private_key_jwt")
    # By itself Authlib names the token endpoint as audience and lets an
    # assertion live an hour; the issuer wants its own name, and minutes.
    method = PrivateKeyJWT(setting("ISSUER"), claims={"exp": int(time.time()) + 60, "jti": generate_token(36)}, alg="ES256")
    session.register_client_auth_method(method)
    return own(session)


def wrong_secret(_):
    session = OAuth2Session(setting("CLIENT_ID"), "not the secret")
    try:
        own(session)
    except OAuthError as error:
        must(error.error == "invalid_client", f"the error is {error.error}")
        return {}
    raise AssertionError("a wrong secret was taken")


def introspect(_):
    session, found = confidential(), metadata()
    token = own(session)["access_token"]
    told = session.introspect_token(found["introspection_endpoint"], token=token).json()
    must(told["active"] is True, "a token that was just issued is not active")
    return told


def revoke(_):
    session, found = confidential(), metadata()
    token = own(session)["access_token"]
    answer = session.revoke_token(found["revocation_endpoint"], token=token)
    must(answer.status_code == 200, f"revocation answered {answer.status_code}")
    told = session.introspect_token(found["introspection_endpoint"], token=token).json()
    must(told == {"active": False}, f"of a revoked token it tells {told}")
    return {"access_token": token}


class Callback(http.server.BaseHTTPRequestHandler):
    """Takes a person's return from the sign-in page."""

    def do_GET(self):
        wanted = urllib.parse.urlsplit(setting("REDIRECT_URI")).path
        if urllib.parse.urlsplit(self.path).path != wanted:
            self.send_error(404)  # a browser asks for icons too
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Done</title><p>You are signed in: go back to the program.</p>")
        self.server.came = self.path

    def log_message(self, *_):
        pass


def code(_):
    """A person signs in: authorization code with PKCE and state."""
    found = metadata()
    secret = os.environ.get("WEB_CLIENT_SECRET")
    session = OAuth2Session(
        setting("WEB_CLIENT_ID"), secret, scope=setting("SCOPE"), redirect_uri=setting("REDIRECT_URI"),
        code_challenge_method="S256", token_endpoint_auth_method="client_secret_basic" if secret else "none")
    verifier = generate_token(48)
    extra = {"resource": os.environ["WEB_AUDIENCE"]} if os.environ.get("WEB_AUDIENCE") else {}
    url, state = session.create_authorization_url(found["authorization_endpoint"], code_verifier=verifier, **extra)
    at = urllib.parse.urlsplit(setting("REDIRECT_URI"))
    with http.server.ThreadingHTTPServer((at.hostname, at.port), Callback) as server:
        server.came = None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        say({"authorize": url})
        end = time.monotonic() + 60
        while server.came is None:
            must(time.monotonic() < end, "nobody came back within a minute")
            time.sleep(0.02)
        server.shutdown()
    came = urllib.parse.urljoin(setting("REDIRECT_URI"), server.came)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(came).query)
    must(query.get("iss") == [setting("ISSUER")], f"the response is of issuer {query.get('iss')} (RFC 9207)")
    token = session.fetch_token(found["token_endpoint"], authorization_response=came, state=state, code_verifier=verifier)
    return dict(token)


def refresh(done):
    """After code: the refresh token changes with each use."""
    secret = os.environ.get("WEB_CLIENT_SECRET")
    session = OAuth2Session(setting("WEB_CLIENT_ID"), secret, token_endpoint_auth_method="client_secret_basic" if secret else "none")
    old = done["code"]["refresh_token"]
    token = session.refresh_token(metadata()["token_endpoint"], refresh_token=old)
    must(token["refresh_token"] != old, "the refresh token did not change")
    return dict(token)


STEPS = (discovery, basic, post, jwt, wrong_secret, introspect, revoke, code, refresh)


def main(names):
    steps, done = {step.__name__: step for step in STEPS}, {}
    name = None
    try:
        for name in names:
            done[name] = steps[name](done) or {}
    except Exception as error:  # whatever it is, it is the answer
        say({"ok": False, "error": f"{name}: {type(error).__name__}: {error}"})
        return 1
    say({"ok": True, "steps": done})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
