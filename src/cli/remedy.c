#include "remedy.h"

#include <assert.h>
#include <string.h>

static const char remedy_tls_protocol[] =
    "Is https right for that port? Your server's log may say which part it does not "
    "like.";
/* clang-format off */
static const char *const remedies[FAILURE_COUNT] = {
    [FAILURE_CONNECT_REFUSED] = "Is it running, and does it listen at that address and port, not only on 127.0.0.1?",
    [FAILURE_CONNECT_TIMEOUT] = "A firewall that drops packets looks like this: let our addresses in (/api/meta has them).",
    [FAILURE_UNREACHABLE] = "Is the address still yours, and has it a route from the internet?",
    [FAILURE_RESET] = "Look into the log of your server or proxy at that moment: it took the connection and dropped it.",
    [FAILURE_CLOSED_EARLY] = "A handler that crashes looks like this: look into its log at that moment.",
    [FAILURE_HEADER_TIMEOUT] = "Answer 200 first, and do the work afterwards. If your server has not seen the request: does its port want https?",
    [FAILURE_SEND_TIMEOUT] = "Read the whole request body before you do anything else.",
    [FAILURE_TIMEOUT] = "Answer 200 first, and do the work afterwards.",
    [FAILURE_TRUNCATED_HEADERS] = "A handler that crashes while it answers looks like this: look into its log.",
    [FAILURE_HEADERS_TOO_LARGE] = "Answer with fewer or shorter headers: posthorn ignores cookies.",
    [FAILURE_BAD_RESPONSE] = "Is it an HTTP server that listens there, and is https right for that port?",
    [FAILURE_EARLY_RESPONSE] = "Read the whole request before you answer.",
    [FAILURE_UNEXPECTED_STATUS] = "Let your handler answer with exactly 200, also for event types that it ignores.",
    [FAILURE_GONE] = "If the URL moved, set the new one; if it is to get nothing any more, set it to null.",
    [FAILURE_REDIRECT] = "Set webhook_url to the address that the redirect leads to.",
    [FAILURE_TLS_NAME] = "Get a certificate for the host name that stands in webhook_url.",
    [FAILURE_TLS_EXPIRED] =
        "Serve a certificate that is valid today: renew one that has expired. If yours should be valid, a clock is wrong.",
    [FAILURE_TLS_UNTRUSTED] = "Use a certificate that a public authority has made for a server, and serve the whole chain, intermediate certificates too; or give a private authority with `posthorn mtls set --ca`.",
    [FAILURE_TLS_WEAK] = "Enable TLS 1.2 or 1.3.",
    [FAILURE_TLS_KEY] = "Use a key of the usual kinds: RSA with 2,048 to 4,096 bits, EC on P-256 or P-384, or Ed25519.",
    [FAILURE_TLS_CLIENT_CERT] = "Set one with `posthorn mtls set --cert FILE --private-key FILE`.",
    [FAILURE_TLS_CLIENT_REFUSED] = "Does your server trust its authority, and is it still valid? `posthorn mtls show` shows it.",
    [FAILURE_TLS_TIMEOUT] = "Is https right for that port? A server that waits for plain HTTP looks like this.",
    [FAILURE_TLS_PROTOCOL] = remedy_tls_protocol,
    [FAILURE_DNS_NOT_FOUND] = "Is the name spelled right, and published in public DNS?",
    [FAILURE_DNS_EMPTY] = "Give the name an A or AAAA record.",
    [FAILURE_DNS_FAILURE] = "Ask whoever runs the name's DNS: its servers, or a DNSSEC signature that ran out.",
    [FAILURE_DNS_TIMEOUT] = "Ask whoever runs the name's DNS: its servers do not answer.",
    [FAILURE_BLOCKED_ADDRESS] = "Publish a public address under that name; or this server's operator lists it with --allow-target.",
    [FAILURE_BLOCKED_URL] = "Set a webhook_url that this server allows: https, a public name, an ordinary port.",
    [FAILURE_LOCAL_OUTAGE] = "The server's operator should look at its network, and at its DNS resolvers: do they answer?",
    [FAILURE_SEALED] = "The server's operator has to start it with the key file that it had when the identity was set.",
    [FAILURE_LEASE_LOST] = "The server's operator should look into its log: it may be this delivery that ends it.",
};
/* The usual cause of each status but 200. */
static const struct {
    int first, last;
    const char *remedy;
} status_remedies[] = {
    {400, 400, "Usual cause: the handler, or the framework before it, does not take the request: a host check (Django's ALLOWED_HOSTS has to name the host of webhook_url), or a check of the body that this event does not pass. Its log says which."},
    {401, 401, "Usual cause: the signature or the key: the handler checks WEBHOOK-AUTH with another API key than this user's, or webhook-signature with another secret (`posthorn verify` says which part is wrong), or a login stands in front of the path."},
    {402, 402, "Usual cause: the account at whoever hosts it: it asks for payment."},
    {403, 403, "Usual cause: the signature or the key, as for 401; or CSRF protection, from which the path has to be exempt; or a firewall that does not know our addresses (`posthorn ips`)."},
    {404, 404, "Usual cause: the path: compare the path of webhook_url with the handler's, to the letter: a prefix, a slash at the end, upper and lower case."},
    {405, 405, "Usual cause: the method: that path takes no POST. Is the handler registered for POST, and is the path its own, not a page's?"},
    {406, 406, "Usual cause: the handler looks at the header Accept; let it answer whatever that says."},
    {407, 407, "Usual cause: a proxy in between that wants a login of its own: events are sent without one."},
    {408, 408, "Usual cause: the server or the proxy in front did not read the whole body in its own time limit."},
    {409, 409, "Usual cause: the handler knows this event already: let it answer 200 for one that comes again."},
    {411, 411, "Usual cause: a proxy in front that loses Content-Length on the way: every push has one."},
    {412, 412, "Usual cause: the handler, or what stands in front, wants a condition (If-Match or the like), and a push has none."},
    {413, 413, "Usual cause: the size: the server, or the proxy in front, takes smaller bodies than this event (nginx: client_max_body_size, Express: limit)."},
    {414, 414, "Usual cause: the URL is longer than the server takes."},
    {415, 415, "Usual cause: the handler takes another Content-Type; events come as application/json."},
    {421, 421, "Usual cause: the host: the server or its proxy does not serve that host name with this certificate."},
    {422, 422, "Usual cause: the handler checks the body and does not take this event. Let it answer 200 for event types that it does not know."},
    {425, 425, "Usual cause: the server wants the request again after its TLS handshake; it comes again by itself."},
    {426, 426, "Usual cause: the server wants another protocol: TLS, if the URL begins with http:// and should begin with https://. Events are sent in HTTP/1.1."},
    {428, 428, "Usual cause: the handler, or what stands in front, wants a condition (If-Match or the like), and a push has none."},
    {429, 429, "Usual cause: the pace: the server, or what stands in front, takes fewer requests at once. posthorn slows down by itself and heeds Retry-After; raise the limit for our addresses (`posthorn ips`)."},
    {431, 431, "Usual cause: the server takes fewer or shorter headers than a push has."},
    {500, 500, "Usual cause: the handler failed: look into its log at that moment. Let your handler answer with exactly 200, also for event types that it ignores."},
    {501, 501, "Usual cause: the method: what answers there does not know POST. Is it a server of files, and the handler at another port or path?"},
    {502, 502, "Usual cause: the proxy in front: its upstream, the handler, is down or ended the connection. Does it run, and does the proxy have its port?"},
    {503, 503, "Usual cause: the pace, or a start: the server, or the proxy in front, has no handler that is free or up. posthorn slows down by itself and heeds Retry-After; look whether it runs, and with how many workers."},
    {504, 504, "Usual cause: the proxy in front: the handler did not answer it in time. Answer 200 first, and do the work afterwards."},
    {505, 505, "Usual cause: the server does not take HTTP/1.1, in which events are sent."},
    {507, 507, "Usual cause: the server's disk is full."},
    {508, 508, "Usual cause: the proxy in front sends the request to itself, in a loop."},
    {511, 511, "Usual cause: a network that wants a login stands between."},
    {520, 527, "Usual cause: the proxy in front (Cloudflare's words for it): it does not reach the server behind it."},
    {530, 530, "Usual cause: the proxy in front (Cloudflare's words for it): it does not find the server behind it."},
    {400, 499, "Usual cause: the server, or what stands in front of the handler, refuses the request: its log says why."},
    {500, 599, "Usual cause: the server, or the proxy in front, failed: look into its log at that moment."},
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
        {"webhooks are sent in HTTP/1.1", "Let it answer in HTTP/1.1, too, or put a proxy in front of it."},
        {" answers at this port", "Is the port in the URL right? It is not your handler that listens there."},
        {"not for servers", "Its extended key usage must have TLS Web Server Authentication (serverAuth): "
                            "ask its authority for a "
                            "certificate for servers."},
        {"signed by itself",
         "Use a certificate that a public authority has made for a server, or have this one trusted with "
         "`posthorn mtls set --ca`."},
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
        return "Look at what writes the head of that answer: a handler that writes it by itself, a module, "
               "or the "
               "proxy in front.";
    return remedy_for(failure);
}
