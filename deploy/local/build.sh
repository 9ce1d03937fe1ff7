#!/usr/bin/env bash
# Builds every program into bin/, static, and shows how far it is: the first
# build compiles some six hundred packages.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v go >/dev/null; then
  echo "missing: Go $(sed -n 's/^go //p' go.mod) or newer (https://go.dev/dl)" >&2
  exit 1
fi
export CGO_ENABLED=0
flags=(-trimpath -tags coraza.rule.case_sensitive_args_keys)
programs=(./gateway ./authserver ./services/cmd/hotel ./deploy/local)
if [ ! -x bin/gateway ]; then
  echo "The first build fetches modules and compiles everything: it takes minutes. Later ones take seconds."
  echo "fetching modules"
fi
go mod download
total=$(go list -deps "${flags[@]}" "${programs[@]}" | wc -l)
mkdir -p bin

# On a terminal one line counts up; in a log there is a line now and then.
tty=0
if [ -t 1 ]; then tty=1; fi

# go build -v names each package as it is compiled; what is cached is silent.
progress() {
  awk -v total="$total" -v tty="$tty" '
    /^[a-z0-9.\/_-]+$/i { n++
      if (tty) printf "\rcompiling %d of at most %d packages", n, total
      else if (n % 50 == 0) printf "compiled %d of at most %d packages\n", n, total
      fflush(); next }
    { print }
    END { if (n) printf "%scompiled %d packages\n", tty ? "\r\033[K" : "", n }'
}
{
  go build -v "${flags[@]}" -o bin/gateway ./gateway &&
  go build -v "${flags[@]}" -o bin/authserver ./authserver &&
  go build -v "${flags[@]}" -o bin/hotel ./services/cmd/hotel &&
  go build -v "${flags[@]}" -o bin/up ./deploy/local
} 2>&1 | progress
