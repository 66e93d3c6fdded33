#include "answer_detail.h"
#include <stdio.h>

enum { SHOWN_MAX = 40 /* bytes of the receiver */ };

/* In quotes, with escapes; cut to `out` and to `shown_max` bytes. */
static void put_quoted(char out[ANSWER_DETAIL_LEN_MAX], struct bytes seen, size_t shown_max)
{
    size_t at = strlen(out), shown = seen.len < shown_max ? seen.len : shown_max;

    out[at++] = '"';
    for (size_t i = 0; i < shown && at + sizeof "\\x00\"..." < ANSWER_DETAIL_LEN_MAX; i++) {
        unsigned char c = (unsigned char)seen.data[i];
        const char *escape = c == '\r' ? "\\r" : c == '\n' ? "\\n" : c == '\t' ? "\\t" : NULL;
        if (escape)
            at += (size_t)snprintf(out + at, ANSWER_DETAIL_LEN_MAX - at, "%s", escape);
        else if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            at += (size_t)snprintf(out + at, ANSWER_DETAIL_LEN_MAX - at, "\\x%02x", c);
        else
            out[at++] = (char)c;
    }
    snprintf(out + at, ANSWER_DETAIL_LEN_MAX - at, "\"%s", shown < seen.len ? "..." : "");
}

/* The receiver speaks another protocol. NULL: not one of these. */
static const char *other_protocol(struct bytes seen)
{
    static const struct {
        const char *begins;
        size_t len;
        const char *sentence;
    } others[] = {
        {"\x15\x03", 2, "this port speaks TLS: the URL must begin with https://"},
        {"\x16\x03", 2, "this port speaks TLS: the URL must begin with https://"},
        {"HTTP/2", 6, "the answer says HTTP/2, and webhooks are sent in HTTP/1.1"},
        {"HTTP/3", 6, "the answer says HTTP/3, and webhooks are sent in HTTP/1.1"},
        {"SSH-", 4, "an SSH server answers at this port"},
        {"220 ", 4, "a mail or FTP server answers at this port"},
        {"220-", 4, "a mail or FTP server answers at this port"},
        {"* OK", 4, "a mail server answers at this port"},
        {"+OK", 3, "a mail server answers at this port"},
        {"-ERR", 4, "a database or mail server answers at this port"},
        {"ICY ", 4, "a radio stream answers at this port"},
        {"<", 1, "the answer has no status line: it begins with its body"},
        {"{", 1, "the answer has no status line: it begins with its body"},
    };
    /* HTTP/2 begins with a SETTINGS frame on stream 0, or with GOAWAY if the client's bytes are not HTTP/2.
     */
    if (seen.len >= 9 && memcmp(seen.data, "\0\0", 2) == 0 && (seen.data[3] == 4 || seen.data[3] == 7) &&
        memcmp(seen.data + 5, "\0\0\0\0", 4) == 0)
        return "the server speaks HTTP/2 only, and webhooks are sent in HTTP/1.1";
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (seen.len >= others[i].len && memcmp(seen.data, others[i].begins, others[i].len) == 0)
            return others[i].sentence;
    return NULL;
}

void answer_detail_of_answer(char out[ANSWER_DETAIL_LEN_MAX], enum failure failure, const char *flaw,
                             struct bytes seen)
{
    const char *other = other_protocol(seen);

    out[0] = '\0';
    if (failure == FAILURE_BAD_RESPONSE && other)
        snprintf(out, ANSWER_DETAIL_LEN_MAX, "%s; it begins with ", other);
    else if (failure == FAILURE_BAD_RESPONSE && flaw)
        snprintf(out, ANSWER_DETAIL_LEN_MAX, "the answer is not valid HTTP/1.x: %s; it begins with ", flaw);
    else if (failure == FAILURE_HEADERS_TOO_LARGE && flaw)
        snprintf(out, ANSWER_DETAIL_LEN_MAX,
                 "the answer's headers are larger than the limit: %s; it begins with ", flaw);
    else if (seen.len > 0 && failure == FAILURE_TLS_PROTOCOL)
        snprintf(out, ANSWER_DETAIL_LEN_MAX, "%s; it begins with ",
                 seen.len >= 5 && memcmp(seen.data, "HTTP/", 5) == 0
                     ? "this port speaks HTTP without TLS: the URL must begin with http://, or name the port "
                       "of TLS"
                 : other ? other
                         : "this port does not speak TLS");
    else if (seen.len > 0 && (failure == FAILURE_TRUNCATED_HEADERS || failure == FAILURE_HEADER_TIMEOUT))
        snprintf(out, ANSWER_DETAIL_LEN_MAX, "%s; they begin with ", failure_sentence(failure));
    if (out[0])
        put_quoted(out, seen, SHOWN_MAX);
}

/* The first byte is the record's type. */
bool answer_detail_is_tls(struct bytes heard)
{
    return heard.len > 0 && (unsigned char)heard.data[0] >= 0x14 && (unsigned char)heard.data[0] <= 0x17;
}

void answer_detail_of_handshake(char out[ANSWER_DETAIL_LEN_MAX], enum failure failure, const char *why,
                                struct bytes heard, bool silent)
{
    out[0] = '\0';
    if (failure == FAILURE_TLS_PROTOCOL && heard.len > 0 && !answer_detail_is_tls(heard))
        answer_detail_of_answer(out, failure, NULL, heard);
    else if (why && failure_class_of(failure) == FAILURE_CLASS_RECEIVER)
        snprintf(out, ANSWER_DETAIL_LEN_MAX, "%s", why);
    else if (silent && (failure == FAILURE_CLOSED_EARLY || failure == FAILURE_RESET))
        snprintf(out, ANSWER_DETAIL_LEN_MAX,
                 "%s in the TLS handshake; if this port speaks HTTP without TLS, the URL must begin with "
                 "http://",
                 failure == FAILURE_RESET ? failure_sentence(failure) : "your server closed the connection");
}

void answer_detail_of_silent_end(char out[ANSWER_DETAIL_LEN_MAX], enum failure failure)
{
    if (failure == FAILURE_CLOSED_EARLY || failure == FAILURE_RESET)
        snprintf(out, ANSWER_DETAIL_LEN_MAX, "%s; if this port speaks TLS, the URL must begin with https://",
                 failure_sentence(failure));
}

void answer_detail_of_redirect(char out[ANSWER_DETAIL_LEN_MAX], struct bytes location)
{
    out[0] = '\0';
    if (location.len == 0)
        return;
    snprintf(out, ANSWER_DETAIL_LEN_MAX, "%s; it leads to ", failure_sentence(FAILURE_REDIRECT));
    put_quoted(out, location, ANSWER_DETAIL_LEN_MAX);
}

void answer_detail_of_status(char out[ANSWER_DETAIL_LEN_MAX], int status, struct bytes body)
{
    static const char *const words[] = {
        "plain http request was sent to https port",         /* nginx */
        "client sent an http request to an https server",    /* Go: Caddy, Traefik and more */
        "speaking plain http to an ssl-enabled server port", /* Apache */
        "this combination of host and port requires tls",    /* Tomcat */
        "this server only speaks https on this port",        /* Cheroot: CherryPy and more */
    };
    out[0] = '\0';
    for (size_t i = 0; status == 400 && i < sizeof words / sizeof *words; i++)
        for (size_t at = 0, len = strlen(words[i]); at + len <= body.len; at++)
            if (bytes_equal_nocase(bytes_make(body.data + at, len), words[i])) {
                snprintf(out, ANSWER_DETAIL_LEN_MAX,
                         "this port speaks TLS: the URL must begin with https:// (your server says so "
                         "itself, with 400)");
                return;
            }
}
