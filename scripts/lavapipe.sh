#!/usr/bin/env bash
# Puts Mesa's lavapipe, a Vulkan driver for the processor that has 16-bit floats, into a folder for the tests, and prints the folder.
# Debian's packages are downloaded and unpacked, nothing is installed, no root is needed. Exits with 3 and says why where that can't be.
#
#   NONZERO_TEST_GPU=lavapipe npx vitest run test/webgpu
set -euo pipefail
version=25 # Debian 12's own 22 is too old for WebGPU; its backports have this one
folder=${XDG_CACHE_HOME:-$HOME/.cache}/nonzero/lavapipe-$version
cannot() {
  echo "lavapipe: $1" >&2
  exit 3
}
if [ -e "$folder/libvulkan_lvp.so" ]; then
  echo "$folder"
  exit
fi
[ "$(uname -sm)" = "Linux x86_64" ] || cannot "Debian's packages for x86-64 are unpacked here, on no other machine"
command -v apt-get dpkg-deb > /dev/null || cannot "no apt-get and dpkg-deb"
. /etc/os-release
[ "${VERSION_CODENAME:-}" = bookworm ] || cannot "this is ${PRETTY_NAME:-no Debian}, not Debian 12"

mkdir -p "$(dirname "$folder")" 2> /dev/null || cannot "$folder can't be written"
work=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,unpacked}
source=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2> /dev/null || true)
[ -n "$source" ] || cannot "no source of Debian's packages in /etc/apt/sources.list.d/debian.sources"
for suite in bookworm bookworm-backports; do
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$source" "$suite"
  printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n'
done > "$work/debian.sources"
apt() {
  apt-get -qq -o Dir::Etc::sourcelist="$work/debian.sources" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists" \
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root -o Acquire::Retries=2 "$@"
}
apt update > "$work/log" 2>&1 || cannot "the packages' lists can't be fetched: $(tail -1 "$work/log")"
# The driver and what it links to, but for the C and C++ libraries, which Node has loaded already.
packages="libllvm15 libdrm2 libexpat1 libffi8 libedit2 libtinfo6 libz3-4 libxml2 libicu72 liblzma5 libzstd1 zlib1g libbsd0 libmd0
  libwayland-client0 libx11-xcb1 libxcb1 libxcb-dri3-0 libxcb-present0 libxcb-randr0 libxcb-shm0 libxcb-sync1 libxcb-xfixes0 libxshmfence1
  libxau6 libxdmcp6 libvulkan1 mesa-vulkan-drivers/bookworm-backports"
cd "$work/cache"
# shellcheck disable=SC2086
apt download $packages > "$work/log" 2>&1 || cannot "the packages can't be fetched: $(tail -1 "$work/log")"
for package in *.deb; do dpkg-deb -x "$package" "$work/unpacked"; done
mkdir -p "$work/lavapipe"
find "$work/unpacked" \( -name '*.so.*' -o -name libvulkan_lvp.so \) -exec cp -P {} "$work/lavapipe" \;
sed "s|\"library_path\": *\"|&$folder/|" "$work/unpacked/usr/share/vulkan/icd.d/lvp_icd.json" > "$work/lavapipe/lvp_icd.json"
mv -T "$work/lavapipe" "$folder" 2> /dev/null || [ -e "$folder/libvulkan_lvp.so" ] # or another was faster
echo "$folder"
