#!/bin/sh
# The core, the document and the filter are pure: no syscall, clock, malloc or thread. What their objects need from outside must
# be on this short list, and what they call in base must be pure itself.
# usage: purity.sh CC BASE.a PURE.a...
set -eu
compiler=$1 base=$2
shift 2

# Functions of the C library that touch nothing but their arguments.
libc='mem(cpy|move|set|cmp|chr|rchr)|str(len|cmp|chr|rchr)|inet_pton|snprintf|__assert_fail|_GLOBAL_OFFSET_TABLE_'
# Memory that was handed in: body_render appends to a text, and a text lives on an arena, as what a pattern compiles
# to does. Of JSON, what reads a tree.
base_pure='bytes_[a-z0-9_]+|text_[a-z0-9_]+|url_[a-z0-9_]+|network_[a-z_]+|instant_[a-z_]+|failure_[a-z_]+|arena_zero|json_(is|member|unescape_next)'
sanitizers='__(asan|ubsan|tsan|sanitizer)_[a-z0-9_]+|__gcov_[a-z_]+'

# Undefined symbols of the files that none of them defines, less those on the list.
impure() {
    allowed=$1
    shift
    nm "$@" 2>/dev/null | awk -v allowed="^($allowed)\$" '
        NF == 2 && $1 ~ /^[Uuvw]$/ { wanted[$2] }
        NF == 3 { defined[$3] }
        END { for (s in wanted) if (!(s in defined) && s !~ allowed) print s }' | sort
}

failed=0
report() {
    [ -z "$2" ] || { echo "$1 must not call:" $2; failed=1; }
}

report "core, document and filter" "$(impure "$libc|$base_pure|$sanitizers" "$@")"

# The modules of base that the core calls, without text, which allocates from the arena it was given.
members=$(mktemp -d)
trap 'rm -rf "$members"' EXIT
for member in bytes.c.o url.c.o instant.c.o failure.c.o; do
    nm "$base" 2>/dev/null | awk -v member="$member" '
        /:$/ { inside = ($0 ~ "(^|/)" member ":$") }
        inside && NF >= 2' >"$members/$member"
    [ -s "$members/$member" ] || { echo "no member $member in $base"; failed=1; }
    report "base/${member%.o}" "$(awk '$1 ~ /^[Uuvw]$/ { print $2 }' "$members/$member" |
        grep -vxE "$libc|bytes_[a-z0-9_]+|$sanitizers" || true)"
done

# Does this check see anything at all? Three impure functions, and it must name each.
cat >"$members/impure.c" <<'C'
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
long impure(void);
long impure(void) { return (long)malloc(1) + time(NULL) + getpid(); }
C
"$compiler" -c -O0 -o "$members/impure.o" "$members/impure.c"
seen=$(impure "$libc|$base_pure|$sanitizers" "$members/impure.o" | tr '\n' ' ')
[ "$seen" = "getpid malloc time " ] || { echo "the check is blind: it saw only '$seen'"; failed=1; }
exit $failed
