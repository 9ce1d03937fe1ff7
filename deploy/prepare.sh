#!/usr/bin/env bash
# Makes sure that what the tests need is here: installs it on Debian where it
# may, and otherwise names exactly what is missing and fails.
set -euo pipefail

want=$(sed -n 's/^go //p' "$(dirname "$0")/../go.mod")
if ! command -v go >/dev/null; then
  echo "missing: Go $want or newer (https://go.dev/dl)" >&2
  exit 1
fi

missing=()
command -v git >/dev/null || missing+=(git)
command -v gcc >/dev/null || missing+=(gcc libc6-dev) # the race detector is linked with C
command -v curl >/dev/null || missing+=(curl)         # the README's commands are run as they stand
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "missing: ${missing[*]}; install them with this system's package manager" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
    echo "missing: ${missing[*]}; as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
for tool in git gcc curl; do
  if ! command -v "$tool" >/dev/null; then
    echo "missing: $tool, although apt-get has installed it; is it in PATH?" >&2
    exit 1
  fi
done
