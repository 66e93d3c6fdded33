/* The head of a client's request. However the bytes are cut into pieces, the verdict is the same; nothing of
 * a request lies outside its head; a head that we accept has no byte that ends a line for somebody else, and
 * says the same when it is written down again. The same for a chunked body behind it. */
#include "head.h"
#include "chunked.h"
#include <assert.h>
#include <stdlib.h>

enum { SIZE_LIMIT = 128 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the end of the head ---- */

static int scan(struct bytes text, size_t piece, struct head_scan *found, size_t *len)
{
    int status = 0;
    *found = (struct head_scan){0};
    *len = 0;
    for (size_t end = 0; status == 0 && *len == 0 && end < text.len;) {
        end = text.len - end < piece ? text.len : end + piece;
        status = head_scan(found, bytes_make(text.data, end), len);
        assert(*len <= end && found->line_at <= end && found->fields_at <= end);
    }
    assert(status == 0 || status == 400 || status == 414 || status == 431);
    return status;
}

/* ---- its contents ---- */

static bool is_static(struct bytes view)
{
    return view.len == 0 || bytes_equal_text(view, "/");
}

static void check_inside(struct bytes head, struct bytes view)
{
    assert((view.data >= head.data && view.data + view.len <= head.data + head.len) || is_static(view));
}

static void check_views(struct bytes head, const struct listener_request *request)
{
    check_inside(head, request->method);
    check_inside(head, request->target);
    check_inside(head, request->path);
    check_inside(head, request->query);
    assert(request->header_count <= LISTENER_HEADERS_MAX);
    for (int i = 0; i < request->header_count; i++) {
        check_inside(head, request->headers[i].name);
        check_inside(head, request->headers[i].value);
    }
}

/* CR and LF only side by side, no other control byte but tabs, nobody's NUL. */
static void check_lines(struct bytes head)
{
    for (size_t i = 0; i < head.len; i++) {
        unsigned char c = (unsigned char)head.data[i];
        assert(c >= 0x20 || c == '\t' || c == '\r' || c == '\n');
        assert(c != '\r' || (i + 1 < head.len && head.data[i + 1] == '\n'));
        assert(c != '\n' || (i > 0 && head.data[i - 1] == '\r'));
    }
}

static void check_framing(const struct listener_request *request, const struct head_facts *facts)
{
    int lengths, codings, hosts;
    listener_header(request, "content-length", &lengths);
    listener_header(request, "transfer-encoding", &codings);
    struct bytes host = listener_header(request, "host", &hosts);
    assert(facts->body.chunked == (codings == 1) && codings <= 1);
    assert((facts->body.length >= 0) == (lengths > 0) && (lengths == 0 || codings == 0));
    assert(hosts == 1 || (hosts == 0 && facts->http_1_0));
    assert(!facts->http_1_0 || codings == 0);
    assert(host.len == 0 || (!memchr(host.data, ' ', host.len) && !memchr(host.data, '/', host.len)));
    assert(request->path.len > 0 && (request->path.data[0] == '/' || request->path.data[0] == '*'));
}

static void put(struct bytes *out, struct bytes piece)
{
    if (piece.len > 0)
        memcpy((char *)out->data + out->len, piece.data, piece.len);
    out->len += piece.len;
}

/* Never longer than what was read, so that no limit is in the way. */
static struct bytes write_down(const struct listener_request *request, const struct head_facts *facts,
                               size_t room)
{
    struct bytes out = {malloc(room), 0};
    assert(out.data);
    put(&out, request->method);
    put(&out, bytes_of(" "));
    put(&out, request->target);
    put(&out, bytes_of(facts->http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n"));
    for (int i = 0; i < request->header_count; i++) {
        put(&out, request->headers[i].name);
        put(&out, bytes_of(":"));
        put(&out, request->headers[i].value);
        put(&out, bytes_of("\r\n"));
    }
    put(&out, bytes_of("\r\n"));
    assert(out.len <= room);
    return out;
}

static void check_again(struct bytes head, const struct listener_request *request,
                        const struct head_facts *facts)
{
    struct bytes text = write_down(request, facts, head.len);
    struct listener_request again = {0};
    struct head_facts facts_again;
    struct head_scan found;
    size_t len;
    int status = scan(text, text.len, &found, &len);
    assert(status == 0 && len == text.len);
    status = head_read(&found, text, &again, &facts_again);
    assert(status == 0);
    assert(bytes_equal(again.method, request->method) && bytes_equal(again.target, request->target));
    assert(bytes_equal(again.path, request->path) && bytes_equal(again.query, request->query));
    assert(again.header_count == request->header_count);
    for (int i = 0; i < again.header_count; i++) {
        assert(bytes_equal(again.headers[i].name, request->headers[i].name));
        assert(bytes_equal(again.headers[i].value, request->headers[i].value));
    }
    assert(facts_again.http_1_0 == facts->http_1_0 && facts_again.keep_alive == facts->keep_alive);
    assert(facts_again.expects_continue == facts->expects_continue);
    assert(facts_again.body.chunked == facts->body.chunked && facts_again.body.length == facts->body.length);
    free((char *)text.data);
}

/* ---- the body ---- */

struct outcome {
    enum chunked_state state;
    size_t used;
    struct bytes content;
};

static bool is_over(const struct chunked *chunked)
{
    return chunked->state == CHUNKED_DONE || chunked->state == CHUNKED_BROKEN;
}

static void read_body(struct bytes text, size_t piece, struct outcome *outcome)
{
    struct chunked chunked;
    chunked_init(&chunked);
    *outcome = (struct outcome){.content = {malloc(text.len + 1), 0}};
    assert(outcome->content.data);
    while (outcome->used < text.len && !is_over(&chunked)) {
        /* To the next edge of a piece. */
        size_t left = text.len - outcome->used, edge = piece - outcome->used % piece;
        struct bytes content, part = bytes_make(text.data + outcome->used, edge < left ? edge : left);
        size_t used = chunked_step(&chunked, part, &content);
        assert(used <= part.len && (used > 0 || is_over(&chunked)));
        assert(content.len == 0 ||
               (content.data >= part.data && content.data + content.len <= part.data + used));
        put(&outcome->content, content);
        outcome->used += used;
    }
    outcome->state = chunked.state;
}

static void check_body(struct bytes text)
{
    struct outcome whole, cut;
    read_body(text, text.len + 1, &whole);
    for (size_t piece = 1; piece <= 11; piece += 5) {
        read_body(text, piece, &cut);
        assert(cut.state == whole.state && bytes_equal(cut.content, whole.content));
        assert(whole.state == CHUNKED_BROKEN || cut.used == whole.used);
        free((char *)cut.content.data);
    }
    free((char *)whole.content.data);
}

/* ---- all of it ---- */

static void check_head(const struct head_scan *found, struct bytes text)
{
    struct listener_request request = {0};
    struct head_facts facts;
    char *exact = malloc(text.len); /* so that a sanitizer sees a byte too many being read */
    assert(exact);
    struct bytes head = bytes_make(memcpy(exact, text.data, text.len), text.len);
    int status = head_read(found, head, &request, &facts);
    check_views(head, &request);
    if (status == 0) {
        check_lines(head);
        check_framing(&request, &facts);
        check_again(head, &request, &facts);
    } else {
        assert(status >= 400 && status <= 505);
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_make(data, size);
    struct head_scan whole, cut;
    size_t len, cut_len;
    if (size == 0 || size > SIZE_LIMIT)
        return 0;
    int status = scan(text, size, &whole, &len);
    /* A small piece, a middling one, and one that lies where the input says. */
    size_t pieces[] = {1, 7, 1 + (size_t)data[size / 2] * (1 + (size_t)data[size - 1] % 16)};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        int cut_status = scan(text, pieces[i], &cut, &cut_len);
        assert(cut_status == status && cut_len == len);
        assert(cut.line_at == whole.line_at && cut.fields_at == whole.fields_at);
    }
    if (len > 0) {
        check_head(&whole, bytes_make(text.data, len));
        text = bytes_make(text.data + len, size - len);
    }
    if (text.len > 0)
        check_body(text);
    return 0;
}
