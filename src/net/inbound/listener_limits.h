/*
 * listener_limits: fixed limits on the memory and time of a client.
 */
#pragma once

enum {
    LISTENER_LINE_LEN_MAX = 8 * 1024,  /* the request line: 414 beyond */
    LISTENER_HEAD_LEN_MAX = 32 * 1024, /* the header lines: 431 beyond */
    LISTENER_HEAD_MS_MAX =
        10 * 1000, /* from the first byte of a head, or of a handshake, to the last: then 408 */
    LISTENER_BODY_MS_MAX = 30 * 1000,  /* the same for the body */
    LISTENER_REPLY_MS_MAX = 60 * 1000, /* for the client to read the answer */
    LISTENER_LINGER_MS_MAX = 5 * 1000, /* for the client to close after a final answer */
    LISTENER_LINGER_LEN_MAX = 4 << 20, /* bytes that are read and dropped meanwhile */
    LISTENER_READ_LEN = 64 * 1024      /* of one read */
};
