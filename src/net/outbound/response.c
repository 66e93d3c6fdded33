#include "response.h"
#include "chunked.h"
#include "grammar.h"
#include "instant.h"
#include <assert.h>

/* Where in the grammar the next byte belongs. Head states come first, in the order of the wire. */
enum state {
    STATE_STATUS_LINE, /* the 13 fixed places: `HTTP/1.1 200 `, the last of which may be missing */
    STATE_REASON,
    STATE_LINE_FEED, /* after the CR of a status line or a field */
    STATE_FIELD_START,
    STATE_FIELD_NAME,
    STATE_VALUE_START, /* white space before the value */
    STATE_VALUE,
    STATE_HEAD_LINE_FEED, /* after the CR of the empty line */
    STATE_BODY_SIZED,
    STATE_BODY_UNTIL_CLOSE,
    STATE_BODY_CHUNKED,
    STATE_BODY_VOID /* its framing is invalid; the first bytes of a failure's body are kept */
};

/* The fields whose values we use. */
enum field {
    FIELD_OTHER,
    FIELD_CONNECTION,
    FIELD_CONTENT_LENGTH,
    FIELD_CONTENT_TYPE,
    FIELD_LOCATION,
    FIELD_RETRY_AFTER,
    FIELD_TRANSFER_ENCODING
};

enum {
    STATUS_LINE_PLACES = 13,
    NAME_KEPT_MAX = 20,  /* longer than the longest name above */
    VALUE_KEPT_MAX = 256 /* longer values of those fields are ignored */
};

struct response {
    enum response_stage stage;
    enum state state;
    enum failure failure;
    const char *flaw;
    int status;
    int interim_count, field_count;
    size_t head_used, line_start; /* bytes of the head so far; the start of this line in it */
    int place;                    /* in the status line */
    bool started, http10;

    enum field field;
    size_t name_len, value_len;
    bool value_cut, field_open; /* the next line may continue the value */

    bool close, length_given, coding_given, framing_void, type_given, json;
    int64_t length;
    int retry_after_count;
    size_t retry_after_len, location_len;

    int64_t left; /* of the sized body */
    struct chunked chunked;
    size_t read_left, body_len, raw_len;
    /* The rest is never cleared: the lengths say which bytes count, and untouched pages cost nothing. */
    char name[NAME_KEPT_MAX]; /* lower case */
    char value[VALUE_KEPT_MAX], retry_after[64], location[VALUE_KEPT_MAX];
    char body[RESPONSE_BODY_KEPT_MAX]; /* before the body begins: the first raw_len bytes of the answer */
};

size_t response_size(void)
{
    return sizeof(struct response);
}

/* Before each header block. The counts of the limits continue over interim responses. */
static void head_begin(struct response *r)
{
    r->state = STATE_STATUS_LINE;
    r->status = r->place = 0;
    r->close = r->length_given = r->coding_given = r->framing_void = r->type_given = r->json = false;
    r->length = 0;
    r->retry_after_count = 0;
    r->retry_after_len = r->location_len = 0;
    r->field_open = false;
}

struct response *response_init(void *memory)
{
    struct response *r = memory;
    memset(r, 0, offsetof(struct response, name));
    r->stage = RESPONSE_HEAD;
    r->read_left = RESPONSE_BODY_READ_MAX;
    head_begin(r);
    return r;
}

static void fail(struct response *r, enum failure failure, const char *flaw)
{
    assert(r->stage == RESPONSE_HEAD);
    r->stage = RESPONSE_FAILED;
    r->failure = failure;
    r->flaw = flaw;
}

static void fail_grammar(struct response *r, const char *flaw)
{
    fail(r, FAILURE_BAD_RESPONSE, flaw);
}

/* A byte that no line may have. */
static const char *flaw_of(char c)
{
    switch (c) {
    case '\n':
        return "a line of its head ends with a bare LF instead of CR LF";
    case '\r':
        return "a bare CR stands in its head";
    case '\0':
        return "a NUL byte stands in its head";
    default:
        return "a control byte stands in its head";
    }
}

/* The rest of the body cannot be parsed; the header block stays valid. */
static void stop(struct response *r)
{
    assert(r->stage == RESPONSE_BODY);
    r->stage = RESPONSE_STOPPED;
}

/* ---- the head ---- */

static const char *status_line_flaw(int place, char c)
{
    if (place < 8)
        return "it does not begin with HTTP/1.1 or HTTP/1.0";
    if (place < 12)
        return "its version is not followed by one space and a status from 100 to 999";
    return c == '\n' ? flaw_of(c) : "its status is followed by neither a space nor the end of the line";
}

static void status_line_byte(struct response *r, char c)
{
    static const char fixed[] = "HTTP/1.";
    int place = r->place++;
    bool good;

    if (place < 7) {
        good = c == fixed[place];
    } else if (place == 7) {
        good = c == '0' || c == '1';
        r->http10 = c == '0';
    } else if (place == 8) {
        good = c == ' ';
    } else if (place == 12) { /* without a reason, many servers omit the space too */
        good = c == ' ' || c == '\r';
    } else {
        good = bytes_is_digit(c) && (place != 9 || c != '0');
        r->status = r->status * 10 + (c - '0');
    }
    if (!good)
        fail_grammar(r, status_line_flaw(place, c));
    else if (r->place == STATUS_LINE_PLACES)
        r->state = c == '\r' ? STATE_LINE_FEED : STATE_REASON;
}

static size_t status_line_run(struct response *r, struct bytes piece)
{
    size_t n = 0;
    while (n < piece.len && r->state == STATE_STATUS_LINE && r->stage == RESPONSE_HEAD)
        status_line_byte(r, piece.data[n++]);
    return n;
}

static enum field field_of(struct bytes name)
{
    switch (name.len) {
    case 8:
        return bytes_equal_text(name, "location") ? FIELD_LOCATION : FIELD_OTHER;
    case 10:
        return bytes_equal_text(name, "connection") ? FIELD_CONNECTION : FIELD_OTHER;
    case 11:
        return bytes_equal_text(name, "retry-after") ? FIELD_RETRY_AFTER : FIELD_OTHER;
    case 12:
        return bytes_equal_text(name, "content-type") ? FIELD_CONTENT_TYPE : FIELD_OTHER;
    case 14:
        return bytes_equal_text(name, "content-length") ? FIELD_CONTENT_LENGTH : FIELD_OTHER;
    case 17:
        return bytes_equal_text(name, "transfer-encoding") ? FIELD_TRANSFER_ENCODING : FIELD_OTHER;
    default:
        return FIELD_OTHER;
    }
}

static void field_end(struct response *r)
{
    if (!r->field_open)
        return;
    r->field_open = false;
    struct bytes value = bytes_trim(bytes_make(r->value, r->value_len));
    int64_t length = r->field == FIELD_CONTENT_LENGTH ? grammar_number(value) : 0;

    switch (r->field) {
    case FIELD_OTHER:
        break;
    case FIELD_CONNECTION:
        r->close = r->close || r->value_cut || grammar_list_has(value, "close");
        break;
    case FIELD_CONTENT_LENGTH:
        if (r->value_cut || length < 0 || (r->length_given && length != r->length))
            r->framing_void = true;
        else
            r->length = length;
        r->length_given = true;
        break;
    case FIELD_CONTENT_TYPE:
        r->json = !r->type_given && !r->value_cut &&
                  bytes_equal_nocase(bytes_trim(bytes_cut(&value, ';')), "application/json");
        r->type_given = true;
        break;
    case FIELD_TRANSFER_ENCODING:
        /* We asked for no coding, so anything but one bare "chunked" is invalid. */
        if (r->value_cut || r->coding_given || !bytes_equal_nocase(value, "chunked"))
            r->framing_void = true;
        r->coding_given = true;
        break;
    case FIELD_LOCATION:
        memcpy(r->location, value.data, value.len);
        r->location_len = value.len;
        break;
    case FIELD_RETRY_AFTER:
        r->retry_after_count++;
        r->retry_after_len = 0;
        if (!r->value_cut && value.len <= sizeof r->retry_after) {
            memcpy(r->retry_after, value.data, value.len);
            r->retry_after_len = value.len;
        }
        break;
    }
}

static void body_keep(struct response *r, struct bytes piece)
{
    size_t room = sizeof r->body - r->body_len, kept = piece.len < room ? piece.len : room;
    memcpy(r->body + r->body_len, piece.data, kept);
    r->body_len += kept;
}

/* The bytes to show if there is no body: not HTTP, only a head, or invalid framing. */
static void raw_keep(struct response *r, struct bytes piece)
{
    size_t room = RESPONSE_RAW_KEPT_MAX - r->raw_len, kept = piece.len < room ? piece.len : room;
    if (r->body_len > 0)
        return;
    memcpy(r->body + r->raw_len, piece.data, kept);
    r->raw_len += kept;
}

static void value_keep(struct response *r, struct bytes piece)
{
    size_t room = VALUE_KEPT_MAX - r->value_len, kept = piece.len < room ? piece.len : room;
    memcpy(r->value + r->value_len, piece.data, kept);
    r->value_len += kept;
    r->value_cut = r->value_cut || kept < piece.len;
}

static void field_start_byte(struct response *r, char c)
{
    if ((c == ' ' || c == '\t') && r->field_open) {
        /* All white space around the fold is one space (RFC 9112 section 5.2). */
        while (!r->value_cut && r->value_len > 0 && strchr(" \t", r->value[r->value_len - 1]))
            r->value_len--;
        value_keep(r, bytes_make(" ", 1));
        r->state = STATE_VALUE_START;
        return;
    }
    field_end(r);
    if (c == '\r') {
        r->state = STATE_HEAD_LINE_FEED;
    } else if (c == ' ' || c == '\t') {
        fail_grammar(r, "its first header line begins with a space");
    } else if (!grammar_is_token(c)) {
        fail_grammar(r, c == '\n' ? flaw_of(c) : "a header line does not begin with a name");
    } else if (r->field_count == RESPONSE_FIELDS_MAX) {
        fail(r, FAILURE_HEADERS_TOO_LARGE, "it has more than 128 header lines");
    } else {
        r->field_count++;
        r->name[0] = bytes_lower(c);
        r->name_len = 1;
        r->state = STATE_FIELD_NAME;
    }
}

static size_t field_name_run(struct response *r, struct bytes piece)
{
    size_t n = 0;
    while (n < piece.len && grammar_is_token(piece.data[n])) {
        if (r->name_len < NAME_KEPT_MAX)
            r->name[r->name_len++] = bytes_lower(piece.data[n]);
        n++;
    }
    if (n == piece.len)
        return n;
    if (piece.data[n] != ':') {
        char c = piece.data[n];
        fail_grammar(r, c == ' ' || c == '\t' ? "a space stands before the colon of a header line"
                                              : "a header line has no name followed by a colon");
        return n;
    }
    r->field = field_of(bytes_make(r->name, r->name_len));
    r->value_len = 0;
    r->value_cut = false;
    r->field_open = true;
    r->state = STATE_VALUE_START;
    return n + 1;
}

/* To the CR of this line. */
static size_t line_run(struct response *r, struct bytes piece)
{
    size_t n = grammar_line_run(piece);
    if (n == piece.len)
        return n;
    if (piece.data[n] != '\r')
        fail_grammar(r, flaw_of(piece.data[n]));
    else
        r->state = STATE_LINE_FEED;
    return n + 1;
}

static size_t value_run(struct response *r, struct bytes piece)
{
    if (r->field != FIELD_OTHER)
        value_keep(r, bytes_make(piece.data, grammar_line_run(piece)));
    return line_run(r, piece);
}

static size_t value_start_run(struct response *r, struct bytes piece)
{
    size_t n = 0;
    while (n < piece.len && (piece.data[n] == ' ' || piece.data[n] == '\t'))
        n++;
    if (n < piece.len)
        r->state = STATE_VALUE;
    return n;
}

/* The end of the body: RFC 9112 section 6.3; we close where that says "recover". */
static void body_begin(struct response *r)
{
    r->stage = RESPONSE_BODY;
    if (r->coding_given && (r->length_given || r->http10))
        r->framing_void = true;
    if (r->status == 204 || r->status == 304) {
        r->stage = RESPONSE_DONE;
        r->close = r->close || r->framing_void || r->coding_given || (r->status == 204 && r->length > 0);
    } else if (r->framing_void) {
        r->state = STATE_BODY_VOID;
        if (r->status / 100 == 2)
            stop(r);
    } else if (r->coding_given) {
        r->state = STATE_BODY_CHUNKED;
        chunked_init(&r->chunked);
    } else if (!r->length_given) {
        r->state = STATE_BODY_UNTIL_CLOSE;
        r->close = true;
    } else if (r->length == 0) {
        r->stage = RESPONSE_DONE;
    } else {
        r->state = STATE_BODY_SIZED;
        r->left = r->length;
    }
}

static void head_end(struct response *r)
{
    if (r->status >= 200) {
        body_begin(r);
    } else if (r->status == 101) {
        fail_grammar(r, "it switches to another protocol (101), which nobody asked for");
    } else if (r->interim_count == RESPONSE_INTERIM_MAX) {
        fail_grammar(r, "it has more than eight interim answers (1xx) before a final one");
    } else {
        r->interim_count++;
        head_begin(r);
    }
}

static void line_feed_byte(struct response *r, char c)
{
    r->line_start = r->head_used + 1;
    if (c != '\n')
        fail_grammar(r, flaw_of('\r'));
    else if (r->state == STATE_HEAD_LINE_FEED)
        head_end(r);
    else
        r->state = STATE_FIELD_START;
}

static size_t head_run(struct response *r, struct bytes piece)
{
    switch (r->state) {
    case STATE_REASON:
        return line_run(r, piece);
    case STATE_FIELD_NAME:
        return field_name_run(r, piece);
    case STATE_VALUE_START:
        return value_start_run(r, piece);
    case STATE_VALUE:
        return value_run(r, piece);
    case STATE_STATUS_LINE:
        return status_line_run(r, piece);
    case STATE_FIELD_START:
        field_start_byte(r, piece.data[0]);
        return 1;
    default:
        assert(r->state == STATE_LINE_FEED || r->state == STATE_HEAD_LINE_FEED);
        line_feed_byte(r, piece.data[0]);
        return 1;
    }
}

/* One run of bytes in one state. The limits count bytes, not pieces, so that the verdict does not depend on
 * how the network cut the answer. */
static size_t head_step(struct response *r, struct bytes piece)
{
    size_t head_left = RESPONSE_HEAD_LEN_MAX - r->head_used;
    size_t line_left = RESPONSE_LINE_LEN_MAX - (r->head_used - r->line_start);
    size_t left = head_left < line_left ? head_left : line_left;

    if (left == 0) {
        fail(r, FAILURE_HEADERS_TOO_LARGE,
             head_left == 0 ? "its head is longer than 32 KiB" : "a line of its head is longer than 8 KiB");
        return 0;
    }
    if (piece.len > left)
        piece.len = left;
    size_t used = head_run(r, piece);
    r->head_used += used;
    return used;
}

static size_t head_feed(struct response *r, struct bytes piece)
{
    size_t used = 0;
    while (used < piece.len && r->stage == RESPONSE_HEAD)
        used += head_step(r, bytes_make(piece.data + used, piece.len - used));
    raw_keep(r, r->stage == RESPONSE_FAILED ? piece : bytes_make(piece.data, used));
    return used;
}

/* ---- the body ---- */

static size_t data_run(struct response *r, struct bytes piece)
{
    if ((int64_t)piece.len > r->left)
        piece.len = (size_t)r->left;
    body_keep(r, piece);
    r->left -= (int64_t)piece.len;
    if (r->left == 0)
        r->stage = RESPONSE_DONE;
    return piece.len;
}

static size_t chunk_run(struct response *r, struct bytes piece)
{
    struct bytes content;
    size_t used = chunked_step(&r->chunked, piece, &content);
    if (content.len > 0)
        body_keep(r, content);
    if (r->chunked.state == CHUNKED_DONE) {
        r->stage = RESPONSE_DONE;
    } else if (r->chunked.state == CHUNKED_BROKEN) {
        raw_keep(r, piece);
        stop(r);
    }
    return used;
}

static size_t body_run(struct response *r, struct bytes piece)
{
    switch (r->state) {
    case STATE_BODY_UNTIL_CLOSE:
        body_keep(r, piece);
        return piece.len;
    case STATE_BODY_SIZED:
        return data_run(r, piece);
    case STATE_BODY_VOID:
        raw_keep(r, piece);
        stop(r);
        return piece.len;
    default:
        assert(r->state == STATE_BODY_CHUNKED);
        return chunk_run(r, piece);
    }
}

static size_t body_step(struct response *r, struct bytes piece)
{
    if (piece.len > r->read_left)
        piece.len = r->read_left;
    size_t used = body_run(r, piece);
    r->read_left -= used;
    if (r->read_left == 0 && r->stage == RESPONSE_BODY)
        stop(r);
    return used;
}

/* ---- public ---- */

size_t response_feed(struct response *r, struct bytes piece)
{
    size_t used = 0;
    r->started = r->started || piece.len > 0;
    while (used < piece.len) {
        struct bytes rest = bytes_make(piece.data + used, piece.len - used);
        if (r->stage == RESPONSE_HEAD)
            used += head_feed(r, rest);
        else if (r->stage == RESPONSE_BODY)
            used += body_step(r, rest);
        else
            break;
    }
    return used;
}

void response_end(struct response *r)
{
    if (r->stage == RESPONSE_HEAD)
        fail(r, r->started ? FAILURE_TRUNCATED_HEADERS : FAILURE_CLOSED_EARLY, NULL);
    else if (r->stage == RESPONSE_BODY && r->state == STATE_BODY_UNTIL_CLOSE)
        r->stage = RESPONSE_DONE;
    else if (r->stage == RESPONSE_BODY)
        stop(r);
}

enum response_stage response_stage(const struct response *r)
{
    return r->stage;
}

enum failure response_failure(const struct response *r)
{
    return r->failure;
}

const char *response_flaw(const struct response *r)
{
    return r->flaw;
}

static bool has_status(const struct response *r)
{
    return r->stage == RESPONSE_BODY || r->stage == RESPONSE_DONE || r->stage == RESPONSE_STOPPED;
}

int response_status(const struct response *r)
{
    return has_status(r) ? r->status : 0;
}

int64_t response_retry_after_ms(const struct response *r, int64_t wall_ms)
{
    struct bytes value = bytes_make(r->retry_after, r->retry_after_len);
    int64_t number = grammar_number(value);

    if (!has_status(r) || r->retry_after_count != 1)
        return -1;
    if (number != -1)
        return number >= 0 && number <= INT64_MAX / 1000 ? number * 1000 : INT64_MAX;
    if (!instant_parse_http(value, &number))
        return -1;
    return number > wall_ms ? number - wall_ms : 0;
}

bool response_json(const struct response *r)
{
    return r->json;
}

struct bytes response_location(const struct response *r)
{
    return bytes_make(r->location, r->location_len);
}

bool response_keep_alive(const struct response *r)
{
    return r->stage == RESPONSE_DONE && !r->close && !r->http10;
}

struct bytes response_body(const struct response *r)
{
    return bytes_make(r->body, r->body_len);
}

struct bytes response_said(const struct response *r)
{
    bool raw = r->body_len == 0 && response_status(r) / 100 != 2;
    return bytes_make(r->body, raw ? r->raw_len : r->body_len);
}

bool response_started(const struct response *r)
{
    return r->started;
}
