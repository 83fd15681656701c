#!/usr/bin/env bash
# Kubernetes from its Go modules: build.sh TARGET_FOLDER. All its parts in one program, hyperkube (kube-apiserver is a
# link to it), and pause, which holds a pod's namespaces. k8s.io/kubernetes asks for its staging modules at v0.0.0, so
# each is replaced by the v0.X.Y of the same release. About 3 minutes of two cores the first time.
set -euo pipefail
target=$(realpath -m "${1:?usage: build.sh TARGET_FOLDER}")
version=${KUBE_VERSION:-v1.34.1}
staging="v0.${version#v1.}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$target" "$work/pause"
cat > "$work/pause/main.go" <<'GO'
// Holds a pod's namespaces until it is told to end.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
GO
cd "$work/pause"
go mod init firedrill/pause 2>/dev/null
CGO_ENABLED=0 go build -ldflags '-s -w' -o "$target/pause" .

cd "$work"
cat > main.go <<'GO'
// Kubernetes' parts, each exactly as it starts itself: the name it is called by, or the first argument, says which.
package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	name := filepath.Base(os.Args[0])
	if name == "hyperkube" && len(os.Args) > 1 {
		name = os.Args[1]
		os.Args = os.Args[1:]
	}
	parts := map[string]func() *cobra.Command{
		"kube-apiserver":          apiserver.NewAPIServerCommand,
		"kube-controller-manager": manager.NewControllerManagerCommand,
		"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
		"kube-proxy":              proxy.NewProxyCommand,
		"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	}
	part, ok := parts[name]
	if !ok {
		println("unknown part", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(part()))
}
GO

go mod init firedrill/hyperkube 2>/dev/null
go mod download "k8s.io/kubernetes@$version"
manifest=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
# Only exactly v0.0.0 is staging: kube-openapi and utils are at v0.0.0-<date> and stay where they are.
for module in $(sed -nE 's/^\tk8s.io\/([a-z0-9-]+) v0\.0\.0( .*)?$/\1/p' "$manifest"); do
  go mod edit -replace "k8s.io/$module=k8s.io/$module@$staging"
done
go mod edit -require "k8s.io/kubernetes@$version"
go mod tidy >/dev/null 2>&1 || true
CGO_ENABLED=0 go build -mod=mod -trimpath \
  -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=${version:3:2}" \
  -o "$target/.hyperkube.$$" .
mv "$target/.hyperkube.$$" "$target/hyperkube"
ln -sf hyperkube "$target/kube-apiserver"
