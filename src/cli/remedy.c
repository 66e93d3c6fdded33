#include "remedy.h"

#include <assert.h>

/* clang-format off */
static const char *const remedies[FAILURE_COUNT] = {
    [FAILURE_CONNECT_REFUSED] = "Is it running, and does it listen at that address and port, not only on 127.0.0.1?",
    [FAILURE_CONNECT_TIMEOUT] = "A firewall that drops packets looks like this: let our addresses in (/api/meta has them).",
    [FAILURE_UNREACHABLE] = "Is the address still yours, and has it a route from the internet?",
    [FAILURE_RESET] = "Look into the log of your server or proxy at that moment: it took the connection and dropped it.",
    [FAILURE_CLOSED_EARLY] = "A handler that crashes looks like this: look into its log at that moment.",
    [FAILURE_HEADER_TIMEOUT] = "Answer 200 first, and do the work afterwards.",
    [FAILURE_SEND_TIMEOUT] = "Read the whole request body before you do anything else.",
    [FAILURE_TIMEOUT] = "Answer 200 first, and do the work afterwards.",
    [FAILURE_TRUNCATED_HEADERS] = "A handler that crashes while it answers looks like this: look into its log.",
    [FAILURE_HEADERS_TOO_LARGE] = "Answer with fewer or shorter headers: cookies are of no use here.",
    [FAILURE_BAD_RESPONSE] = "Is it an HTTP server that listens there, and is https right for that port?",
    [FAILURE_EARLY_RESPONSE] = "Read the whole request before you answer.",
    [FAILURE_UNEXPECTED_STATUS] = "Let your handler answer with exactly 200, also for event types that it ignores.",
    [FAILURE_GONE] = "If the URL moved, set the new one; if it is to get nothing any more, set it to null.",
    [FAILURE_REDIRECT] = "Set webhook_url to the address that the redirect leads to.",
    [FAILURE_TLS_NAME] = "Get a certificate for the host name that stands in webhook_url.",
    [FAILURE_TLS_EXPIRED] = "Renew the certificate, and look at your server's clock.",
    [FAILURE_TLS_UNTRUSTED] = "Serve the whole chain, intermediate certificates too; or give a private authority with `posthorn mtls set --ca`.",
    [FAILURE_TLS_WEAK] = "Enable TLS 1.2 or 1.3.",
    [FAILURE_TLS_CLIENT_CERT] = "Set one with `posthorn mtls set --cert FILE --private-key FILE`.",
    [FAILURE_TLS_CLIENT_REFUSED] = "Does your server trust its authority, and is it still valid? `posthorn mtls show` shows it.",
    [FAILURE_TLS_TIMEOUT] = "Is https right for that port? A server that waits for plain HTTP looks like this.",
    [FAILURE_TLS_PROTOCOL] = "Is https right for that port? Your server's log may say which part it does not like.",
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
/* clang-format on */

const char *remedy_for(enum failure failure)
{
    assert((unsigned)failure < FAILURE_COUNT);
    return remedies[failure] ? remedies[failure] : "";
}
