/*
 * listener_limits: what a client may take of our memory and time, beside the settings.
 */
#pragma once

enum {
    LISTENER_LINE_LEN_MAX = 8 * 1024,  /* the request line: 414 beyond */
    LISTENER_HEAD_LEN_MAX = 32 * 1024, /* the header lines: 431 beyond */
    LISTENER_HEAD_MS_MAX =
        10 * 1000, /* a head that has begun must be complete by then, a handshake too: 408 */
    LISTENER_BODY_MS_MAX = 30 * 1000,  /* and the body, however it drips */
    LISTENER_REPLY_MS_MAX = 60 * 1000, /* and the client must have read the answer */
    LISTENER_LINGER_MS_MAX = 5 * 1000, /* and hang up when it was told to go */
    LISTENER_LINGER_LEN_MAX = 4 << 20, /* what is swallowed until then */
    LISTENER_READ_LEN = 64 * 1024      /* read at once, at most */
};
