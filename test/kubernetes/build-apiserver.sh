#!/usr/bin/env bash
# Builds a real kube-apiserver from the Go modules: build-apiserver.sh TARGET_FOLDER. About 3 minutes the first time.
# k8s.io/kubernetes asks for its staging modules at v0.0.0, so each is replaced by the v0.X.Y of the same release.
set -euo pipefail
target=$(realpath -m "${1:?usage: build-apiserver.sh TARGET_FOLDER}")
version=${KUBE_VERSION:-v1.34.1}
staging="v0.${version#v1.}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > main.go <<'GO'
// A kube-apiserver, exactly as Kubernetes starts it.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
GO

go mod init firedrill/apiserver 2>/dev/null
go mod download "k8s.io/kubernetes@$version"
manifest=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
# Only exactly v0.0.0 is staging: kube-openapi and utils are at v0.0.0-<date> and stay where they are.
for module in $(sed -nE 's/^\tk8s.io\/([a-z0-9-]+) v0\.0\.0( .*)?$/\1/p' "$manifest"); do
  go mod edit -replace "k8s.io/$module=k8s.io/$module@$staging"
done
go mod edit -require "k8s.io/kubernetes@$version"
go mod tidy >/dev/null 2>&1 || true
mkdir -p "$target"
CGO_ENABLED=0 go build -mod=mod -trimpath \
  -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=${version:3:2}" \
  -o "$target/.kube-apiserver.$$" .
mv "$target/.kube-apiserver.$$" "$target/kube-apiserver"
