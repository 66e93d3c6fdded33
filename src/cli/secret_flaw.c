#include "secret_flaw.h"
#include "bytes.h"
#include "command.h"
#include "posthorn.h"
#include <ctype.h>

/* The 64 hex digits of our API keys. */
static bool is_api_key(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isxdigit((unsigned char)text.data[i]))
            return false;
    return text.len == 64;
}

static bool is_wrapped(struct bytes text)
{
    static const char around[] = " \t\r\n\"'";
    return text.len > 0 && (strchr(around, text.data[0]) || strchr(around, text.data[text.len - 1]));
}

int secret_flaw_say(const struct invocation *invocation, const char *secret, bool signing)
{
    struct bytes text = bytes_of(secret);
    const char *wanted = signing ? "whsec_... or whsk_..." : "whsec_... or whpk_...";

    if (is_wrapped(text))
        return command_wrong(invocation, "the secret has white space or quotes around it: give %s alone",
                             wanted);
    if (bytes_starts(text, "v1,wh") || bytes_starts(text, "v1a,wh"))
        return command_wrong(invocation,
                             "the secret begins with `v1,` or `v1a,`, as some platforms write it: give the "
                             "part after the comma, %s",
                             wanted);
    if (bytes_starts(text, "v1,") || bytes_starts(text, "v1a,"))
        return command_wrong(
            invocation, "this is a signature, the value of a webhook-signature header: give the secret, %s",
            wanted);
    if (bytes_starts(text, "whpk_") && signing)
        return command_wrong(invocation,
                             "whpk_... is a public key, which cannot sign: give its private half, whsk_...");
    if (bytes_starts(text, "whsk_") && !signing)
        return command_wrong(
            invocation, "whsk_... is a private key, for the sender alone: give its public half, whpk_...");
    if (is_api_key(text))
        return command_wrong(
            invocation, "this looks like an API key, which is for --api-key: give the secret, %s", wanted);
    if (bytes_starts(text, "whsec_"))
        return command_wrong(invocation,
                             "the part after whsec_ is not the base64 of 24 to 64 bytes: is it complete?");
    if (bytes_starts(text, "whsk_") || bytes_starts(text, "whpk_"))
        return command_wrong(
            invocation, "the part after %.5s is not the base64 of an Ed25519 key: is it complete?", secret);
    return command_wrong(invocation, "the secret has no prefix: it is written %s", wanted);
}

int secret_flaw_check(const struct invocation *invocation, const struct option_list *secrets)
{
    struct posthorn_text one = {"1", 1};

    for (int i = 0; i < secrets->count; i++) {
        struct posthorn_text secret = {secrets->items[i], strlen(secrets->items[i])};
        if (posthorn_verify_signature(&secret, 1, one, one, one, one, 1, 1) == POSTHORN_BAD_ARGUMENT)
            return secret_flaw_say(invocation, secrets->items[i], false);
    }
    return EXIT_DONE;
}
