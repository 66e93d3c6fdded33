#!/bin/sh
# The same seeds in two processes must leave the same traces. usage: replay.sh SIM FROM-TO
set -eu
first=$("$1" --hash --seeds "$2")
second=$("$1" --hash --seeds "$2")
[ -n "$first" ]
[ "$first" = "$second" ] || { echo "sim: the second process ran differently"; exit 1; }
echo "sim: seeds $2 left the same traces in two processes"
