/*
 * failure: every reason for an attempt to end without an answer, in one list.
 *
 * The class separates different causes:
 *   RECEIVER  the receiver failed: uses up an attempt
 *   OURS      no network, no file descriptor, no resolver: uses up nothing, window is extended
 *   POLICY    the guard or a setting blocked it: retried, so that a corrected DNS record heals it
 *   CROSSED   the close of an idle connection and our request crossed: nobody's failure. It uses up nothing,
 *             and a new attempt sends the request again at once
 * The sentences name the limits of sender_limits_default() (tests/net/answer_detail.c).
 * Names are stable: they are stored, shown in the API and documented in posthorn-delivery(7).
 */
#pragma once

enum failure_class {
    FAILURE_CLASS_NONE,
    FAILURE_CLASS_RECEIVER,
    FAILURE_CLASS_OURS,
    FAILURE_CLASS_POLICY,
    FAILURE_CLASS_CROSSED
};

/*        symbol             name                 class     a sentence for people */
#define FAILURE_LIST(X)                                                                                      \
    X(NONE, "none", NONE, "the receiver answered")                                                           \
    X(CONNECT_REFUSED, "connect_refused", RECEIVER, "your server refused the connection")                    \
    X(CONNECT_TIMEOUT, "connect_timeout", RECEIVER,                                                          \
      "no connection to your server within the time limit of 5 s")                                           \
    X(UNREACHABLE, "unreachable", RECEIVER, "your server's network cannot be reached")                       \
    X(RESET, "reset", RECEIVER, "your server reset the connection")                                          \
    X(CLOSED_EARLY, "closed_early", RECEIVER, "your server closed the connection without an answer")         \
    X(IDLE_CLOSED, "idle_closed", CROSSED,                                                                   \
      "your server was closing the idle connection just as the request went out on it")                      \
    X(HEADER_TIMEOUT, "header_timeout", RECEIVER,                                                            \
      "no complete answer headers within the time limit of 15 s")                                            \
    X(SEND_TIMEOUT, "send_timeout", RECEIVER,                                                                \
      "your server did not read the request within the time limit of 10 s")                                  \
    X(TIMEOUT, "timeout", RECEIVER, "the attempt reached its absolute time limit of 30 s")                   \
    X(TRUNCATED_HEADERS, "truncated_headers", RECEIVER, "the connection ended inside the answer's headers")  \
    X(HEADERS_TOO_LARGE, "headers_too_large", RECEIVER, "the answer's headers are larger than the limit")    \
    X(BAD_RESPONSE, "bad_response", RECEIVER, "the answer is not valid HTTP/1.x")                            \
    X(EARLY_RESPONSE, "early_response", RECEIVER, "an answer came before the request was sent")              \
    X(UNEXPECTED_STATUS, "unexpected_status", RECEIVER, "your server answered, but not with 200")            \
    X(GONE, "gone", RECEIVER, "your server says that this URL is gone for good (410)")                       \
    X(REDIRECT, "redirect", RECEIVER,                                                                        \
      "your server answered with a redirect, and redirects are never followed")                              \
    X(TLS_NAME, "tls_name", RECEIVER, "the certificate is for another name")                                 \
    X(TLS_EXPIRED, "tls_expired", RECEIVER, "the certificate has expired or is not valid yet")               \
    X(TLS_UNTRUSTED, "tls_untrusted", RECEIVER, "the certificate does not lead to a trusted authority")      \
    X(TLS_WEAK, "tls_weak", RECEIVER, "your server offers nothing better than TLS 1.1")                      \
    X(TLS_KEY, "tls_key", RECEIVER,                                                                          \
      "a key of the certificate chain is too large or of a kind that is not supported")                      \
    X(TLS_CLIENT_CERT, "tls_client_cert", RECEIVER,                                                          \
      "your server demands a client certificate it did not get")                                             \
    X(TLS_CLIENT_REFUSED, "tls_client_refused", RECEIVER,                                                    \
      "your server refused the client certificate it was shown")                                             \
    X(TLS_TIMEOUT, "tls_timeout", RECEIVER, "the TLS handshake did not finish within the time limit of 5 s") \
    X(TLS_PROTOCOL, "tls_protocol", RECEIVER, "the TLS handshake failed")                                    \
    X(DNS_NOT_FOUND, "dns_not_found", RECEIVER, "the host name does not exist")                              \
    X(DNS_EMPTY, "dns_empty", RECEIVER, "the host name has no address")                                      \
    X(DNS_FAILURE, "dns_failure", RECEIVER, "the host name's servers answered with an error")                \
    X(DNS_TIMEOUT, "dns_timeout", RECEIVER,                                                                  \
      "the host name could not be resolved within the time limit of 5 s")                                    \
    X(NO_TOKEN, "no_token", RECEIVER, "the token server of the endpoint's auth gave no access token")        \
    X(BLOCKED_ADDRESS, "blocked_address", POLICY, "the host resolves to an address that is not allowed")     \
    X(BLOCKED_URL, "blocked_url", POLICY, "the URL is not allowed by this server's settings")                \
    X(LOCAL_OUTAGE, "local_outage", OURS, "posthorn itself had no network or no resolver that answers")      \
    X(LOCAL_LIMIT, "local_limit", OURS, "posthorn itself was out of file descriptors, ports or memory")      \
    X(DAMAGED, "damaged", OURS,                                                                              \
      "posthorn's own copy of this event is damaged: `posthorn check` lists the damage")                     \
    X(SEALED, "sealed", OURS,                                                                                \
      "posthorn's key file does not decrypt this receiver's TLS identity, headers or auth")                  \
    X(SHUTDOWN, "shutdown", OURS, "posthorn was stopping")                                                   \
    X(LEASE_LOST, "lease_lost", OURS, "posthorn stopped several times while it was sending this")

#define FAILURE_ENUM(symbol, name, class, sentence) FAILURE_##symbol,
enum failure { FAILURE_LIST(FAILURE_ENUM) FAILURE_COUNT };
#undef FAILURE_ENUM

const char *failure_name(enum failure failure);
const char *failure_sentence(enum failure failure);
enum failure_class failure_class_of(enum failure failure);
/* FAILURE_COUNT: no such name. */
enum failure failure_parse(const char *name);
