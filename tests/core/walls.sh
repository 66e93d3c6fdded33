#!/bin/sh
# A wrong #include does not compile: every folder's own include path, as the build uses it, is tried with headers it may
# see and headers it must not.
# usage: walls.sh CC BUILD_FOLDER
set -eu
compiler=$1
cd "$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# Include flags of the first command that compiles the source.
includes_of() {
    grep -F '"command":' compile_commands.json | grep -F -- "-c ../$1\"" | head -n 1 | tr ' ' '\n' | grep '^-I' || true
}

# try SOURCE yes|no HEADER...
try() {
    source=$1 expected=$2
    shift 2
    includes=$(includes_of "$source")
    [ -n "$includes" ] || { echo "$source: no compile command"; failed=1; return; }
    for header; do
        printf '#include "%s"\n' "$header" >"$work/snippet.c"
        result=no
        # shellcheck disable=SC2086
        "$compiler" -D_GNU_SOURCE $includes -fsyntax-only "$work/snippet.c" 2>/dev/null && result=yes
        [ "$result" = "$expected" ] || { echo "$source includes $header: $result, not $expected"; failed=1; }
    done
}

try src/base/url.c       yes bytes.h text.h
try src/base/url.c       no  model.h policy.h body.h store.h sender.h engine.h
try src/document/body.c  yes text.h ids.h
try src/document/body.c  no  policy.h dispatch.h store.h sender.h engine.h
try src/core/policy.c    yes url.h body.h dispatch.h
try src/core/policy.c    no  store.h queue.h sender.h listener.h config.h engine.h
try src/store/sqlite/sqlite.c   yes text.h model.h policy.h
try src/store/sqlite/sqlite.c   no  sender.h listener.h engine.h api.h
try src/net/outbound/sender.c     yes url.h
try src/net/outbound/sender.c     no  policy.h dispatch.h store.h queue.h engine.h
try src/server/delivery/engine.c  yes dispatch.h queue.h sender.h
try src/guard/guard.c    yes url.h network.h
try src/guard/guard.c    no  model.h policy.h body.h store.h sender.h engine.h
try src/cli/inspect/events.c     yes json.h body.h guard.h
try src/cli/inspect/events.c     no  policy.h dispatch.h store.h queue.h engine.h
try src/manage/keys.c    yes store.h server_parts.h command.h
try src/manage/keys.c    no  client.h commands.h
exit $failed
