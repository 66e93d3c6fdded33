#!/bin/sh
body=$(mktemp) || exit 1
trap 'rm -f "$body"' EXIT
head -c "$CONTENT_LENGTH" >"$body"
[ "$(wc -c <"$body")" -eq "$CONTENT_LENGTH" ] || exit 1
digest=$(sha256sum <"$body")
echo "$HTTP_WEBHOOK_ID ${digest%% *}" >>"$ARRIVALS"
printf 'Content-Type: application/json\r\n\r\n{"status":"success"}'
