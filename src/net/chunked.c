#include "chunked.h"
#include "grammar.h"
#include <assert.h>

static void line_begin(struct chunked *chunked, enum chunked_state state)
{
    chunked->state = state;
    chunked->line_left = CHUNKED_LINE_LEN_MAX;
}

void chunked_init(struct chunked *chunked)
{
    *chunked = (struct chunked){0};
    line_begin(chunked, CHUNKED_SIZE);
}

static void size_byte(struct chunked *chunked, char c)
{
    int value = grammar_hex_value(c);
    if (value >= 0 && chunked->digits < CHUNKED_DIGITS_MAX) {
        chunked->digits++;
        chunked->left = chunked->left * 16 + value;
    } else if (value >= 0 || chunked->digits == 0) {
        chunked->state = CHUNKED_BROKEN;
    } else if (c == '\r') {
        chunked->state = CHUNKED_SIZE_LINE_FEED;
    } else if (c == ';' || c == ' ' || c == '\t') {
        chunked->state = CHUNKED_EXTENSION;
    } else {
        chunked->state = CHUNKED_BROKEN;
    }
}

static size_t data_run(struct chunked *chunked, struct bytes piece, struct bytes *content)
{
    if ((int64_t)piece.len > chunked->left)
        piece.len = (size_t)chunked->left;
    *content = piece;
    chunked->left -= (int64_t)piece.len;
    if (chunked->left == 0)
        chunked->state = CHUNKED_DATA_CR;
    return piece.len;
}

static size_t skip_run(struct chunked *chunked, struct bytes piece, enum chunked_state next)
{
    if (chunked->line_left == 0) {
        chunked->state = CHUNKED_BROKEN;
        return 0;
    }
    if (piece.len > chunked->line_left)
        piece.len = chunked->line_left;
    size_t n = grammar_line_run(piece);
    chunked->line_left -= n;
    if (n == piece.len)
        return n;
    chunked->state = piece.data[n] == '\r' ? next : CHUNKED_BROKEN;
    return n + 1;
}

static void trailer_start_byte(struct chunked *chunked, char c)
{
    if (c == '\r') {
        chunked->state = CHUNKED_LAST_LINE_FEED;
    } else if (!grammar_is_token(c) || chunked->trailers == CHUNKED_TRAILERS_MAX) {
        chunked->state = CHUNKED_BROKEN;
    } else {
        chunked->trailers++;
        chunked->state = CHUNKED_TRAILER;
    }
}

static size_t expect(struct chunked *chunked, char c, char expected, enum chunked_state next)
{
    if (c != expected)
        chunked->state = CHUNKED_BROKEN;
    else
        line_begin(chunked, next);
    if (chunked->state == CHUNKED_SIZE) {
        chunked->digits = 0;
        chunked->left = 0;
    }
    return 1;
}

size_t chunked_step(struct chunked *chunked, struct bytes piece, struct bytes *content)
{
    assert(piece.len > 0);
    char c = piece.data[0];
    *content = (struct bytes){0};
    switch (chunked->state) {
    case CHUNKED_SIZE:
        size_byte(chunked, c);
        return 1;
    case CHUNKED_EXTENSION:
        return skip_run(chunked, piece, CHUNKED_SIZE_LINE_FEED);
    case CHUNKED_SIZE_LINE_FEED:
        return expect(chunked, c, '\n', chunked->left == 0 ? CHUNKED_TRAILER_START : CHUNKED_DATA);
    case CHUNKED_DATA:
        return data_run(chunked, piece, content);
    case CHUNKED_DATA_CR:
        return expect(chunked, c, '\r', CHUNKED_DATA_LINE_FEED);
    case CHUNKED_DATA_LINE_FEED:
        return expect(chunked, c, '\n', CHUNKED_SIZE);
    case CHUNKED_TRAILER_START:
        trailer_start_byte(chunked, c);
        return 1;
    case CHUNKED_TRAILER:
        return skip_run(chunked, piece, CHUNKED_TRAILER_LINE_FEED);
    case CHUNKED_TRAILER_LINE_FEED:
        return expect(chunked, c, '\n', CHUNKED_TRAILER_START);
    case CHUNKED_LAST_LINE_FEED:
        return expect(chunked, c, '\n', CHUNKED_DONE);
    case CHUNKED_DONE:
    case CHUNKED_BROKEN:
        break;
    }
    assert(false);
    return piece.len;
}
