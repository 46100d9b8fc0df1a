#!/bin/sh
# Builds musl for one isolation: a copy of its tree with our overlay in it and the excluded files out of it,
# configured and made by its own build system, headers and libraries installed into a sysroot.
#
#   build.sh SOURCE BUILD SYSROOT JOBS CC [CC-ARGUMENT...]
set -eu

if [ $# -lt 5 ]; then
    echo "usage: build.sh SOURCE BUILD SYSROOT JOBS CC [CC-ARGUMENT...]" >&2
    exit 2
fi
source=$1 build=$2 sysroot=$3 jobs=$4
shift 4
here=$(cd "$(dirname "$0")" && pwd)

rm -rf "$build"
mkdir -p "$build"
cp -R "$source/." "$build"
sed '/^#/d' "$here/excluded.txt" | while read -r file; do
    rm "$build/$file"
done
cp -R "$here/overlay/." "$build"

cd "$build"
log=$build/build.log
fail() {
    tail -n 40 "$log" >&2
    echo "musl: $1 failed, see $log" >&2
    exit 1
}
CC="$*" AR=llvm-ar-19 RANLIB=llvm-ranlib-19 CFLAGS=-O2 LIBCC=' ' \
    ./configure --target=riscv64 --prefix=/ --disable-shared --disable-gcc-wrapper \
    >"$log" 2>&1 || fail configure
# Because our compiler makes position-independent executables, configure takes the objects of the shared
# library; the static ones address their data directly.
# shellcheck disable=SC2016
echo 'AOBJS = $(LIBC_OBJS)' >>config.mak
make -j"$jobs" lib/libc.a >>"$log" 2>&1 || fail make
make DESTDIR="$sysroot" install-headers >>"$log" 2>&1 || fail install
mkdir -p "$sysroot/lib"
cp lib/libc.a "$sysroot/lib/libc.a"
# Programs that link -lm -lpthread ... find them, as empty as musl makes them: all is in libc.
for name in m rt pthread crypt util xnet resolv dl; do
    rm -f "$sysroot/lib/lib$name.a"
    llvm-ar-19 rc "$sysroot/lib/lib$name.a"
done
