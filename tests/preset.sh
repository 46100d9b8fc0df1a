#!/usr/bin/env bash
# preset.sh NAME: configures and builds a preset, and runs its QEMU tests. For nightly tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset FTL_NIGHTLY # the preset's own nightly tests are not meant
cmake --preset "$1"
cmake --build --preset "$1" --parallel "$(nproc)"
exec ctest --preset "$1" -L qemu --parallel "$(nproc)"
