/* The possible reasons why the webhook-signature of a push is wrong, such as a changed body. */
#include "arena.h"
#include "diagnose.h"
#include "json_c.h"
#include "json_spellings.h"
#include "posthorn.h"
#include "show.h"
#include "words.h"

#include <openssl/evp.h>

enum { MEMORY_LEN_MAX = 64 << 20, GUESS_LEN_MAX = 4 * SAVED_LEN_MAX };

/* The input of the verification. A guess is a copy with one member changed. */
struct signed_push {
    struct posthorn_text secrets[OPTION_LIST_MAX];
    size_t secret_count;
    struct bytes id, timestamp, signatures, body;
};

static struct posthorn_text text_of(struct bytes bytes)
{
    return (struct posthorn_text){bytes.data, bytes.len};
}

/* Ignores the clock. OK; SIGNATURE_TIME: the signature is right, but the timestamp is not a number. */
static enum posthorn_result judge(const struct signed_push *push)
{
    static const long long any_time_s = 1000LL * 1000 * 1000 * 1000 * 1000 * 10;

    return posthorn_verify_signature(push->secrets, push->secret_count, text_of(push->id),
                                     text_of(push->timestamp), text_of(push->signatures), text_of(push->body),
                                     0, any_time_s);
}

static bool fits(const struct signed_push *push)
{
    enum posthorn_result result = judge(push);
    return result == POSTHORN_OK || result == POSTHORN_SIGNATURE_TIME;
}

static bool fits_body(const struct signed_push *push, struct bytes body)
{
    struct signed_push guess = *push;
    guess.body = body;
    return fits(&guess);
}

/* ---- the body ------------------------------------------------------------------------------------------ */

static struct bytes replaced(struct arena *arena, struct bytes body, const char *from, const char *to)
{
    struct text out;
    size_t from_len = strlen(from);

    text_init(&out, arena, GUESS_LEN_MAX);
    for (size_t i = 0; i < body.len;) {
        bool found = body.len - i >= from_len && memcmp(body.data + i, from, from_len) == 0;
        if (found)
            text_puts(&out, to);
        else
            text_putc(&out, body.data[i]);
        i += found ? from_len : 1;
    }
    return text_bytes(&out);
}

static struct bytes with_ending(struct arena *arena, struct bytes body, const char *ending)
{
    struct text out;

    text_init(&out, arena, GUESS_LEN_MAX);
    text_put(&out, body);
    text_puts(&out, ending);
    return text_bytes(&out);
}

static struct bytes without_space(struct bytes body)
{
    while (body.len > 0 && strchr(" \t\r\n", body.data[body.len - 1]))
        body.len--;
    return body;
}

static bool guess_line_ends(const struct signed_push *push, struct arena *arena, struct finding *finding)
{
    struct bytes stripped = without_space(push->body);

    if (stripped.len < push->body.len && fits_body(push, stripped))
        finding_set(finding, "body_newline",
                    "the body ends in a line feed (or other white space) that was not signed: did an editor "
                    "or a tool add it?");
    else if (fits_body(push, with_ending(arena, stripped, "\n")) ||
             fits_body(push, with_ending(arena, stripped, "\r\n")))
        finding_set(finding, "body_newline",
                    "the body has lost its last line feed: did a tool that reads lines remove it?");
    else if (fits_body(push, replaced(arena, push->body, "\r\n", "\n")) ||
             fits_body(push, replaced(arena, push->body, "\n", "\r\n")))
        finding_set(finding, "body_line_ends",
                    "the body's line ends were changed between LF and CR LF on the way");
    else if (bytes_starts(push->body, "\xEF\xBB\xBF") &&
             fits_body(push, bytes_make(push->body.data + 3, push->body.len - 3)))
        finding_set(finding, "body_bom", "the body was given a byte order mark");
    else
        return false;
    return true;
}

static bool guess_spelling(const struct signed_push *push, struct finding *finding)
{
    struct bytes body = without_space(push->body);
    struct json_reading reading;
    struct arena arena;
    bool found = false;

    arena_init(&arena, MEMORY_LEN_MAX);
    struct bytes copy = arena_copy(&arena, body);
    bool is_json = copy.data && json_check((char *)copy.data, copy.len, false, &reading) == JSON_OK;
    for (int way = 0; is_json && way < json_spellings_count() && !found; way++) {
        struct text text;
        arena_reset(&arena);
        text_init(&text, &arena, GUESS_LEN_MAX);
        json_spellings_put(&text, body, way);
        found = !text.overflow && fits_body(push, text_bytes(&text));
        if (found)
            finding_set(finding, "body_reserialised",
                        "the body was parsed and written again on the way: the same data was signed as %s. "
                        "Verify the bytes as they arrive, before anything parses them",
                        json_spellings_name(way));
    }
    arena_fini(&arena);
    return found;
}

/* ---- the headers --------------------------------------------------------------------------------------- */

static bool guess_id(const struct signed_push *push, struct finding *finding)
{
    struct posthorn_event *event;
    bool found = false;

    if (posthorn_parse(push->body.data, push->body.len, &event, NULL) != POSTHORN_OK)
        return false;
    struct posthorn_text id = posthorn_event_id(event);
    struct signed_push guess = *push;
    guess.id = bytes_make(id.data, id.len);
    if (!bytes_equal(guess.id, push->id) && fits(&guess)) {
        finding_set(finding, "wrong_id",
                    "webhook-id is not the id that was signed, which is the event's id, %.*s",
                    (int)(id.len > 64 ? 64 : id.len), id.data);
        found = true;
    } else if (!bytes_equal(guess.id, push->id)) {
        finding_set(finding, "other_push",
                    "webhook-id is %.*s, the body is event %.*s: headers and body are from two pushes",
                    (int)(push->id.len > 64 ? 64 : push->id.len), push->id.data,
                    (int)(id.len > 64 ? 64 : id.len), id.data);
        found = true;
    }
    posthorn_event_free(event);
    return found;
}

static bool guess_version(const struct signed_push *push, struct arena *arena, struct finding *finding)
{
    struct signed_push guess = *push;
    char *prefixed = arena_printf(arena, "v1,%.*s", BYTES_ARG(push->signatures));

    guess.signatures = bytes_of(prefixed ? prefixed : "");
    if (fits(&guess)) {
        finding_set(finding, "no_version", "webhook-signature has no version: it must begin with `v1,`");
        return true;
    }
    guess.signatures = replaced(arena, push->signatures, "v1=", "v1,");
    if (fits(&guess)) {
        finding_set(finding, "no_version", "webhook-signature has `v1=`; it must be `v1,`");
        return true;
    }
    return false;
}

static bool has_version(struct bytes signatures, const char *version)
{
    for (size_t i = 0; i < signatures.len; i++)
        if ((i == 0 || signatures.data[i - 1] == ' ') &&
            bytes_starts(bytes_make(signatures.data + i, signatures.len - i), version))
            return true;
    return false;
}

/* ---- the secret ---------------------------------------------------------------------------------------- */

/* The mistake of signing with the secret's text instead of the bytes that its base64 encodes. */
static bool guess_undecoded(const struct signed_push *push, struct finding *finding)
{
    for (size_t i = 0; i < push->secret_count; i++) {
        for (size_t skip = 0; skip <= 6; skip += 6) {
            struct posthorn_text text = push->secrets[i];
            char secret[POSTHORN_SECRET_LEN_MAX] = "whsec_";
            if (text.len - skip > 64 || memcmp(text.data, "whsec_", 6) != 0)
                continue;
            EVP_EncodeBlock((unsigned char *)secret + 6, (const unsigned char *)text.data + skip,
                            (int)(text.len - skip));
            struct signed_push guess = *push;
            guess.secrets[0] = (struct posthorn_text){secret, strlen(secret)};
            guess.secret_count = 1;
            if (fits(&guess)) {
                finding_set(
                    finding, "secret_undecoded",
                    "it was signed with the text of the secret; the key is the decoded base64 after whsec_");
                return true;
            }
        }
    }
    return false;
}

static bool guess_kind(const struct signed_push *push, struct finding *finding)
{
    bool hmac = false, ed25519 = false;

    for (size_t i = 0; i < push->secret_count; i++) {
        hmac |= memcmp(push->secrets[i].data, "whsec_", 6) == 0;
        ed25519 |= memcmp(push->secrets[i].data, "whpk_", 5) == 0;
    }
    bool v1 = has_version(push->signatures, "v1,"), v1a = has_version(push->signatures, "v1a,");
    if ((v1 && hmac) || (v1a && ed25519))
        return false;
    finding_set(finding, "other_kind", "the push has %s, which needs a %s secret; you gave a %s one",
                v1 && v1a ? "v1 and v1a signatures"
                : v1      ? "a v1 signature"
                : v1a     ? "a v1a signature"
                          : "neither a v1 nor a v1a signature",
                v1a && !v1 ? "whpk_" : "whsec_", hmac ? "whsec_" : "whpk_");
    return true;
}

/* ---- judging ------------------------------------------------------------------------------------------- */

void finding_set_time(struct finding *finding, const char *what, struct bytes seconds,
                      const struct arrival *arrival)
{
    int64_t stamp_s, off_s, at_s = arrival->at_s;
    struct line off, allowed;

    if (!bytes_to_int64(seconds, &stamp_s)) {
        finding_set(finding, "timestamp", "the signature is right, but %s is not a number of seconds", what);
        return;
    }
    off_s = stamp_s > at_s ? stamp_s - at_s : at_s - stamp_s;
    if (off_s <= arrival->tolerance_s) {
        finding_set(finding, "ok", "it matches the body, the secret and the clock");
        return;
    }
    if (stamp_s > 100 * at_s) {
        finding_set(finding, "timestamp", "the signature is right, but %s is in milliseconds, not seconds",
                    what);
        return;
    }
    words_put_duration(line_begin(&off), 1000 * off_s);
    words_put_duration(line_begin(&allowed), 1000 * arrival->tolerance_s);
    finding_set(finding, "clock",
                "the signature is right, but %s is %s %s the clock (%s are allowed): is the clock set,"
                " or was the push kept? --at TIME says when it arrived",
                what, off.text.data, stamp_s > at_s ? "ahead of" : "behind", allowed.text.data);
    line_drop(&off);
    line_drop(&allowed);
}

static void diagnose_wrong(const struct signed_push *push, struct finding *finding)
{
    struct arena arena;

    arena_init(&arena, MEMORY_LEN_MAX);
    if (!guess_line_ends(push, &arena, finding) && !guess_spelling(push, finding) &&
        !guess_version(push, &arena, finding) && !guess_undecoded(push, finding) &&
        !guess_kind(push, finding) && !guess_id(push, finding))
        finding_set(finding, "signature_wrong",
                    "it does not match the body or any usual change of it: the secret is a different one "
                    "(another user's, or one that was replaced), or the content of the body was changed");
    arena_fini(&arena);
}

bool finding_take_header(const struct saved_push *push, const char *name, struct bytes *value,
                         struct finding *finding)
{
    int count;

    *value = saved_header(push, name, &count);
    if (count == 1 && value->len > 0)
        return true;
    if (count > 1) {
        finding_set(finding, "doubled", "there are %d %s headers; there must be one", count, name);
        return false;
    }
    const char *dash = strchr(name, '-'), *tail = dash ? dash + 1 : name;
    for (int i = 0; dash && i < push->header_count; i++) {
        struct bytes found = push->headers[i].name;
        size_t tail_len = strlen(tail);
        if (found.len < tail_len || found.len > 80 || bytes_equal_nocase(found, "x-request-id") ||
            !bytes_equal_nocase(bytes_make(found.data + found.len - tail_len, tail_len), tail))
            continue;
        finding_set(finding, "wrong_name", "the header is called '%.*s'; it must be %s", BYTES_ARG(found),
                    name);
        return false;
    }
    finding_set(finding, "missing", "there is no %s header", name);
    return false;
}

void diagnose_signature(const struct saved_push *push, const struct option_list *secrets,
                        const struct arrival *arrival, struct finding *finding)
{
    struct signed_push judged = {.secret_count = (size_t)secrets->count, .body = push->body};

    *finding = (struct finding){.part = "webhook-signature"};
    for (int i = 0; i < secrets->count; i++)
        judged.secrets[i] = text_of(bytes_of(secrets->items[i]));
    if (!finding_take_header(push, "webhook-id", &judged.id, finding) ||
        !finding_take_header(push, "webhook-timestamp", &judged.timestamp, finding) ||
        !finding_take_header(push, "webhook-signature", &judged.signatures, finding))
        return;
    if (fits(&judged))
        finding_set_time(finding, "webhook-timestamp", judged.timestamp, arrival);
    else
        diagnose_wrong(&judged, finding);
}

void diagnose_body(const struct saved_push *push, struct finding *finding)
{
    struct posthorn_event *event;
    struct posthorn_problem problem;
    struct bytes length;
    int64_t expected;
    int count;

    *finding = (struct finding){.part = "body"};
    enum posthorn_result result = posthorn_parse(push->body.data, push->body.len, &event, &problem);
    length = saved_header(push, "Content-Length", &count);
    if (count == 1 && bytes_to_int64(length, &expected) && (size_t)expected != push->body.len)
        finding_set(finding, "length", "Content-Length was %lld, but the body here has %zu bytes",
                    (long long)expected, push->body.len);
    else if (result != POSTHORN_OK)
        finding_set(finding, posthorn_result_name(result), "%s, at byte %zu", problem.detail, problem.offset);
    else
        finding_set(finding, "ok", "an event");
    posthorn_event_free(event);
}
