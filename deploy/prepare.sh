#!/usr/bin/env bash
# Makes sure that what the tests need is here: installs it on Debian where it
# may, and otherwise names exactly what is missing and fails. Nothing that it
# installs runs as a service: of Apache it takes the program alone, and Debian is
# told to start none of the others. With the argument "nightly" it also looks for
# what only `make nightly` needs.
set -euo pipefail
suite=${1-}

want=$(sed -n 's/^go //p' "$(dirname "$0")/../go.mod")
if ! command -v go >/dev/null; then
  echo "missing: Go $want or newer (https://go.dev/dl)" >&2
  exit 1
fi

# The foreign verifier is a module of Apache, and the foreign client is that of
# the system's own Python, which a version manager may hide.
apache=/usr/sbin/apache2
nginx=/usr/sbin/nginx haproxy=/usr/sbin/haproxy
apache_oauth2=/usr/lib/apache2/modules/mod_oauth2.so
python=/usr/bin/python3
python_has() { [ -x $python ] && $python -I -c 'import importlib.util as u, sys; sys.exit(u.find_spec(sys.argv[1]) is None)' "$1"; }

# lack prints the packages that are missing, by Debian's names.
lack() {
  command -v git >/dev/null || echo git
  command -v gcc >/dev/null || echo gcc libc6-dev # the race detector is linked with C
  command -v curl >/dev/null || echo curl         # the README's commands are run as they stand
  command -v chromium >/dev/null || echo chromium # people's pages are tried in a real browser
  command -v certutil >/dev/null || echo libnss3-tools # makes that browser trust the development authority
  command -v pdftotext >/dev/null || echo poppler-utils # documents are read as people's programs read them
  command -v node >/dev/null || echo nodejs       # foreign clients in JavaScript
  command -v npm >/dev/null || echo npm
  python_has authlib || echo python3-authlib # foreign client in Python
  python_has requests || echo python3-requests
  command -v buildah >/dev/null || echo buildah # images are built, without a daemon or a registry
  command -v systemd-analyze >/dev/null || echo systemd # units are judged; nothing of it runs
  [ -x $apache ] || echo apache2-bin # foreign verifier in C
  [ -e $apache_oauth2 ] || echo libapache2-mod-oauth2
  [ -x $nginx ] || echo nginx # services that read requests in ways of their own
  [ -x $haproxy ] || echo haproxy
  if [ "$suite" = nightly ]; then
    command -v sslscan >/dev/null || echo sslscan           # judges what TLS is spoken
    command -v slowhttptest >/dev/null || echo slowhttptest # attacks slowly
  fi
}

read -ra missing <<<"$(lack | tr '\n' ' ')"
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]} (Debian's names); install them with this system's package manager" >&2
    exit 1
  fi
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
      echo "missing: ${missing[*]}; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  echo "installing: ${missing[*]}"
  ask=/usr/sbin/policy-rc.d # Debian asks it before it starts what it has installed
  if [ ! -e $ask ]; then
    trap '"${as_root[@]}" rm -f $ask' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $ask >/dev/null
    "${as_root[@]}" chmod 755 $ask
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  read -ra missing <<<"$(lack | tr '\n' ' ')"
  if [ ${#missing[@]} -gt 0 ]; then
    echo "missing: ${missing[*]}, although apt-get has installed it; is it in PATH?" >&2
    exit 1
  fi
fi

node=$(node --version) # v18.20.4
major=${node#v}
if [ "${major%%.*}" -lt 18 ]; then
  echo "node $node is too old for the foreign clients of the tests: 18 or newer is needed (https://nodejs.org)" >&2
  exit 1
fi
