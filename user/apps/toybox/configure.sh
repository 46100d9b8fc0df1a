#!/bin/bash
# Makes the headers that toybox's sources want, by toybox's own scripts, for some of its commands.
#
#   configure.sh SOURCE FOLDER COMPILER COMMAND...     leaves FOLDER/generated/*.h
set -euo pipefail
source=$1 folder=$2 compiler=$3
shift 3

rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
# The scripts write beside what they read: nothing of theirs goes to the sources.
ln -s "$source"/{Config.in,configure,lib,main.c,scripts,toys,toys.h} .
cp -r "$source/kconfig" .

{
    printf 'CONFIG_TOYBOX%s=y\n' "" _FLOAT _HELP _HELP_DASHDASH
    for command in "$@"; do
        echo "CONFIG_${command^^}=y"
    done
} >commands
export CC=$compiler HOSTCC="$compiler -w"
make -s -f kconfig/Makefile kconfig/conf HOSTCC="$HOSTCC"
scripts/genconfig.sh
KCONFIG_ALLCONFIG=commands kconfig/conf -n Config.in >conf.log
missing=$(comm -13 <(grep '=y$' .config | sort) <(sort commands))
if [ -n "$missing" ]; then
    echo "configure.sh: toybox does not know: ${missing//$'\n'/ }" >&2
    exit 1
fi
NOBUILD=1 scripts/make.sh >make.log
