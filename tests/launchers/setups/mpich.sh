#!/bin/sh
# MPICH as mpi4py expects it: wheels of mpi4py look for libmpi.so.12, which Debian calls libmpich.so.12.
#
#   mpich.sh DIRECTORY    says "ready", runs until its stdin ends; LD_LIBRARY_PATH=DIRECTORY/lib finds the library
set -eu
library=$(ldconfig -p | sed -n 's/.*libmpich\.so\.12 .*=> //p' | head -n 1)
[ -n "$library" ] || { echo "mpich.sh: no libmpich.so.12; install the package mpich" >&2; exit 1; }
mkdir -p "$1/lib"
ln -sf "$library" "$1/lib/libmpi.so.12"
echo ready
cat >/dev/null
