#!/usr/bin/env bash
# The Gateway API's conformance suite: build.sh TARGET_FOLDER. Its tests as one program, the two programs that its pods
# run (the mesh's one is ours, since the suite's own is in no public module), and the manifests that a run begins with.
# About 2 minutes of two cores the first time.
set -euo pipefail
target=$(realpath -m "${1:?usage: build.sh TARGET_FOLDER}")/gateway-suite
here=$(dirname "$(realpath "$0")")
version=v1.6.1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$target" "$work/echo"
cp "$here/echo.go" "$work/echo/main.go"
cp "$here/mesh_test.go" "$work/mesh_test.go"
cd "$work"
export CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false -trimpath'
go mod init firedrill/gateway 2>/dev/null
go get "sigs.k8s.io/gateway-api/conformance@$version" "sigs.k8s.io/gateway-api@$version"
go build -ldflags '-s -w' -o "$target/echo" ./echo
go build -ldflags '-s -w' -o "$target/echo-basic" sigs.k8s.io/gateway-api/conformance/echo-basic
go test -c -ldflags '-s -w' -o "$target/suite" .
folder() { go list -m -f '{{.Dir}}' "$1"; }
for file in "$(folder sigs.k8s.io/gateway-api)"/config/crd/standard/*.yaml; do
  echo '---'
  cat "$file"
done > "$target/crds.yaml"
cat "$(folder sigs.k8s.io/gateway-api/conformance)/base/manifests.yaml" > "$target/base.yaml"
echo "$version" > "$target/version"
ln -sf gateway-suite/suite "$target/../gateway-conformance"
