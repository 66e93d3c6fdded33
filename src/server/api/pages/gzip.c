#include "gzip.h"
#include "memory.h"
#include <assert.h>
#include <zlib.h>

enum { GZIP_WINDOW_BITS = 15 + 16 /* with gzip's header */, MEMORY_LEVEL = 8 };

struct bytes gzip_make(struct bytes text)
{
    z_stream stream = {0};
    int rc = deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL,
                          Z_DEFAULT_STRATEGY);
    if (rc != Z_OK)
        memory_exhausted();
    assert(text.len <= UINT32_MAX / 2);
    size_t room = deflateBound(&stream, text.len);
    char *made = memory_alloc(room);
    stream.next_in = (Bytef *)text.data;
    stream.avail_in = (uInt)text.len;
    stream.next_out = (Bytef *)made;
    stream.avail_out = (uInt)room;
    rc = deflate(&stream, Z_FINISH);
    assert(rc == Z_STREAM_END); /* there is room for all of it */
    size_t len = stream.total_out;
    deflateEnd(&stream);
    return bytes_make(memory_grow(made, len), len);
}
