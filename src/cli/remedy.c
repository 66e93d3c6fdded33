#include "remedy.h"

#include <assert.h>
#include <string.h>

static const char remedy_tls_protocol[] =
    "Check that the port speaks https. Your server's log may name the part that it refuses.";
/* clang-format off */
static const char *const remedies[FAILURE_COUNT] = {
    [FAILURE_CONNECT_REFUSED] = "Check that your server runs, and that it listens at that address and port, not only at 127.0.0.1.",
    [FAILURE_CONNECT_TIMEOUT] = "A firewall may drop the packets. Allow the addresses that /api/meta lists.",
    [FAILURE_UNREACHABLE] = "Check that the address is still yours, and that the internet has a route to it.",
    [FAILURE_RESET] = "Your server or proxy accepted the connection and dropped it. Read its log at that time.",
    [FAILURE_CLOSED_EARLY] = "Your handler may have crashed. Read its log at that time.",
    [FAILURE_HEADER_TIMEOUT] = "Answer 200 first, and do the work afterwards. If your server did not get the request, the port may speak https.",
    [FAILURE_SEND_TIMEOUT] = "Read the whole request body first.",
    [FAILURE_TIMEOUT] = "Answer 200 first, and do the work afterwards.",
    [FAILURE_TRUNCATED_HEADERS] = "Your handler may have crashed during its answer. Read its log.",
    [FAILURE_HEADERS_TOO_LARGE] = "Send fewer or shorter headers. posthorn ignores cookies.",
    [FAILURE_BAD_RESPONSE] = "Check that an HTTP server listens at that port, and that the port speaks https.",
    [FAILURE_EARLY_RESPONSE] = "Read the whole request before you answer.",
    [FAILURE_UNEXPECTED_STATUS] = "Let your handler answer with exactly 200, also for event types that it ignores.",
    [FAILURE_GONE] = "If the URL moved, set the new one. If it shall get no more events, set it to null.",
    [FAILURE_REDIRECT] = "Set webhook_url to the address that the redirect leads to.",
    [FAILURE_TLS_NAME] = "Get a certificate for the host name in webhook_url.",
    [FAILURE_TLS_EXPIRED] =
        "Renew the certificate if it has expired. If it is valid, check the clocks.",
    [FAILURE_TLS_UNTRUSTED] = "Use a server certificate of a public authority, and serve the whole chain with the intermediate certificates. For a private authority, use `posthorn mtls set --ca`.",
    [FAILURE_TLS_WEAK] = "Enable TLS 1.2 or 1.3.",
    [FAILURE_TLS_KEY] = "Use an RSA key with 2,048 to 4,096 bits, an EC key on P-256 or P-384, or an Ed25519 key.",
    [FAILURE_TLS_CLIENT_CERT] = "Set a client certificate: `posthorn mtls set --cert FILE --private-key FILE`.",
    [FAILURE_TLS_CLIENT_REFUSED] = "Check that your server trusts the authority of the client certificate, and that the certificate is valid (`posthorn mtls show`).",
    [FAILURE_TLS_TIMEOUT] = "Check that the port speaks https. A server of plain HTTP waits like this.",
    [FAILURE_TLS_PROTOCOL] = remedy_tls_protocol,
    [FAILURE_DNS_NOT_FOUND] = "Check the spelling of the name, and that public DNS has it.",
    [FAILURE_DNS_EMPTY] = "Give the name an A or AAAA record.",
    [FAILURE_DNS_FAILURE] = "Ask the operator of the name's DNS. Its servers may fail, or a DNSSEC signature may have expired.",
    [FAILURE_DNS_TIMEOUT] = "The name's DNS servers do not answer. Ask their operator.",
    [FAILURE_NO_TOKEN] = "Try the token_url, client_id and client_secret with another client. If the secret was changed there, set it on the endpoint.",
    [FAILURE_BLOCKED_ADDRESS] = "Publish a public address for that name, or ask this server's operator to allow the address with --allow-target.",
    [FAILURE_BLOCKED_URL] = "Set a webhook_url that this server allows: https, a public name, an ordinary port.",
    [FAILURE_LOCAL_OUTAGE] = "The server's operator should check its network and its DNS resolvers.",
    [FAILURE_SEALED] = "The server's operator must start it with the key file of the time when the identity was set.",
    [FAILURE_LEASE_LOST] = "The server's operator should read its log. This delivery may crash the server.",
};
/* The usual cause of each status but 200. */
static const struct {
    int first, last;
    const char *remedy;
} status_remedies[] = {
    {400, 400, "Usual cause: your handler or its framework refused the request. A host check (Django's ALLOWED_HOSTS) needs the host of webhook_url, or a check of the body refused this event. Its log has the reason."},
    {401, 401, "Usual cause: the signature or the key. Your handler checks WEBHOOK-AUTH with another API key than this user's, or webhook-signature with another secret (`posthorn verify` names the wrong part), or the path needs a login."},
    {402, 402, "Usual cause: your hosting account. The host asks for payment."},
    {403, 403, "Usual cause: the signature or the key, as for 401. Or CSRF protection (exempt the path), or a firewall (allow the addresses of `posthorn ips`)."},
    {404, 404, "Usual cause: the path. Compare the path of webhook_url with the handler's path, letter by letter: prefix, last slash, upper and lower case."},
    {405, 405, "Usual cause: the method. The path accepts no POST. Register your handler for POST, at a path of its own."},
    {406, 406, "Usual cause: your handler reads the header Accept. Answer for every value of it."},
    {407, 407, "Usual cause: a proxy in between asks for a login. posthorn sends none."},
    {408, 408, "Usual cause: the server or the proxy in front did not read the whole body within its own time limit."},
    {409, 409, "Usual cause: your handler knows this event already. Answer 200 for a repeated event."},
    {411, 411, "Usual cause: a proxy in front removes Content-Length. Every push has one."},
    {412, 412, "Usual cause: the handler or the proxy in front asks for If-Match or a similar condition. A push has none."},
    {413, 413, "Usual cause: the size. The server or the proxy in front accepts only smaller bodies than this event (nginx: client_max_body_size, Express: limit)."},
    {414, 414, "Usual cause: the server accepts only shorter URLs."},
    {415, 415, "Usual cause: your handler accepts another Content-Type. posthorn sends application/json."},
    {421, 421, "Usual cause: the host. The server or its proxy does not serve that host name with this certificate."},
    {422, 422, "Usual cause: your handler checks the body and refuses this event. Answer 200 for unknown event types."},
    {425, 425, "Usual cause: the server wants the request again after its TLS handshake. posthorn repeats it."},
    {426, 426, "Usual cause: the server wants another protocol. Use https:// if the URL begins with http://. posthorn sends HTTP/1.1."},
    {428, 428, "Usual cause: the handler or the proxy in front requires If-Match or a similar condition. A push has none."},
    {429, 429, "Usual cause: the pace. The server or the proxy in front limits requests. posthorn slows down and obeys Retry-After. Raise the limit for the addresses of `posthorn ips`."},
    {431, 431, "Usual cause: the server accepts fewer or shorter headers than a push has."},
    {500, 500, "Usual cause: the handler failed. Read its log at that time. Let your handler answer with exactly 200, also for event types that it ignores."},
    {501, 501, "Usual cause: the method. The server does not know POST. It may serve files, and your handler may have another port or path."},
    {502, 502, "Usual cause: the proxy in front. Your handler, its upstream, is down or closed the connection. Check that it runs, and that the proxy has its port."},
    {503, 503, "Usual cause: the server or the proxy in front has no handler that is free or running. posthorn slows down and obeys Retry-After. Check that your handler runs, and its number of workers."},
    {504, 504, "Usual cause: the proxy in front. The handler did not answer it in time. Answer 200 first, and do the work afterwards."},
    {505, 505, "Usual cause: the server refuses HTTP/1.1. posthorn sends HTTP/1.1."},
    {507, 507, "Usual cause: the server's disk is full."},
    {508, 508, "Usual cause: the proxy in front sends the request to itself, in a loop."},
    {511, 511, "Usual cause: a network in between asks for a login."},
    {520, 527, "Usual cause: the proxy in front (Cloudflare's status codes) does not reach the server behind it."},
    {530, 530, "Usual cause: the proxy in front (Cloudflare's status codes) does not find the server behind it."},
    {400, 499, "Usual cause: the server or the proxy in front refuses the request. Its log has the reason."},
    {500, 599, "Usual cause: the server or the proxy in front failed. Read its log at that time."},
};
/* clang-format on */

/* The first range that has it. */
const char *remedy_for_status(int status)
{
    for (size_t i = 0; i < sizeof status_remedies / sizeof *status_remedies; i++)
        if (status >= status_remedies[i].first && status <= status_remedies[i].last)
            return status_remedies[i].remedy;
    return remedies[FAILURE_UNEXPECTED_STATUS];
}

bool remedy_is_for_operator(enum failure failure)
{
    return failure_class_of(failure) == FAILURE_CLASS_OURS;
}

const char *remedy_for(enum failure failure)
{
    assert((unsigned)failure < FAILURE_COUNT);
    return remedies[failure] ? remedies[failure] : "";
}

static bool says(const struct words_outcome *outcome, const char *words)
{
    return outcome->detail.len > 0 &&
           memmem(outcome->detail.data, outcome->detail.len, words, strlen(words)) != NULL;
}

const char *remedy_of(const struct words_outcome *outcome)
{
    static const struct {
        const char *words, *remedy;
    } found[] = {
        {"in the TLS handshake", remedy_tls_protocol},
        {"webhooks are sent in HTTP/1.1", "Make it answer in HTTP/1.1, or put a proxy in front of it."},
        {" answers at this port",
         "Check the port in the URL. Another program than your handler listens there."},
        {"not for servers", "Its extended key usage must have TLS Web Server Authentication (serverAuth). "
                            "Ask the authority for a server certificate."},
        {"signed by itself",
         "Use a server certificate of a public authority, or trust this one with `posthorn mtls set --ca`."},
    };
    enum failure failure = words_failure(outcome->reason);

    if (says(outcome, "this port speaks TLS: the URL must begin with"))
        return "";
    if (failure == FAILURE_UNEXPECTED_STATUS) /* the cause is known, and the usual one could contradict it */
        return words_says_more(outcome) ? "" : remedy_for_status((int)outcome->status);
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (says(outcome, found[i].words))
            return found[i].remedy;
    if (failure == FAILURE_BAD_RESPONSE && says(outcome, "it begins with \"HTTP/1."))
        return "The head of that answer is malformed. Your handler, a module or the proxy in front writes "
               "it.";
    return remedy_for(failure);
}
