#!/usr/bin/env bash
# The same bits on another architecture: runs the tests of the machine and of the engine on 64-bit Arm, under QEMU, in every
# tier of kernels. Needs Debian on amd64 and, the first time, root: it installs a cross compiler, QEMU, and Debian's Rust
# with its library for arm64, each in the version that the archive offers.
# On an Arm machine no emulator is needed: `cargo test -p opml-vm -p opml-ops` is the same check.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
packages=(rustc-web cargo-web gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
folder="$PWD/target/aarch64"
sysroot="$folder/package/usr"

fail() { printf 'aarch64: %s\n' "$*" >&2; exit 1; }
# Exit code 3: the archive does not give the tools, so nothing was tried.
lacking() { printf 'aarch64: NOT TRIED: %s\n' "$*" >&2; exit 3; }
version() { dpkg-query --show --showformat '${Status} ${Version}' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

command -v apt-get >/dev/null && [ "$(dpkg --print-architecture)" = amd64 ] ||
    fail "this check needs Debian on amd64; on an Arm machine run: cargo test -p opml-vm -p opml-ops"

install_tools() {
    as_root dpkg --add-architecture arm64
    as_root apt-get update -qq || printf 'aarch64: some package lists could not be fetched\n' >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${packages[@]}" >/dev/null
}

# The library for arm64 is not installed but unpacked: it must be of the compiler's very version.
unpack_library() {
    rm -rf "$folder/package" "$folder/download" &&
        mkdir -p "$folder/download" &&
        (cd "$folder/download" && apt-get -o APT::Sandbox::User=root download -qq "libstd-rust-web-dev:arm64=$1") &&
        dpkg -x "$folder"/download/*.deb "$folder/package" &&
        rm -rf "$folder/download" &&
        printf '%s\n' "$1" >"$folder/package/version"
}

for package in "${packages[@]}"; do
    [ -n "$(version "$package")" ] || { install_tools || lacking "the cross compiler could not be installed"; break; }
done
compiler="$(version rustc-web)"
if [ "$(cat "$folder/package/version" 2>/dev/null)" != "$compiler" ]; then
    # The archive keeps one version: where it has moved on, the compiler follows.
    unpack_library "$compiler" || { install_tools && compiler="$(version rustc-web)" && unpack_library "$compiler"; } ||
        lacking "the library for arm64 of rustc-web $compiler could not be fetched"
fi
[ -d "$sysroot/lib/rustlib/$target/lib" ] || fail "libstd-rust-web-dev $compiler has no library for $target"

export RUSTC=/usr/bin/rustc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="--sysroot $sysroot"
export CARGO_PROFILE_DEV_DEBUG=0

# on CPU TIER [arguments ...]: tests on one of QEMU's processors, which must have the tier. All runs are of both packages, so
# that they are built once.
on() {
    local cpu="$1" tier="$2"
    shift 2
    printf 'aarch64: cpu %s, kernels %s: %s\n' "$cpu" "$tier" "$*"
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu $cpu" OPML_KERNELS="$tier" \
        /usr/bin/cargo test --quiet --locked --target "$target" --target-dir "$folder/build" --lib --tests \
        -p opml-vm -p opml-ops -- "$@"
}

"$RUSTC" --version
# Every test of the machine and of the engine, those of hostile model files apart, which read files and run no kernel.
on max neon-dotprod --skip hostile::
# A processor without products of bytes in fours and without SHA-3's instructions, and one without the latter alone.
on cortex-a53 neon tier:: keccak conformance golden products::
on neoverse-n1 neon-dotprod tier:: keccak golden
