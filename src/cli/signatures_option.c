#include "signatures_option.h"
#include "suggest.h"
#include <stdio.h>

static int name_count(void)
{
    int count = 0;
    while (push_signature_names[count])
        count++;
    return count;
}

static int refuse(const struct invocation *invocation, struct bytes name)
{
    char given[32];
    snprintf(given, sizeof given, "%.*s", BYTES_ARG(name));
    const char *near = suggest_nearest(given, push_signature_names, name_count());
    if (near)
        return command_wrong(invocation, "--signatures: there is no '%s'; do you mean %s?", given, near);
    return command_wrong(
        invocation,
        "--signatures: there is no '%s'. The names are webhook-auth, standard, stripe, github, "
        "shopify, slack, standard-ed25519, rfc9421; a comma separates two",
        given);
}

int signatures_option_read(const struct invocation *invocation, const char *names, int *signatures)
{
    struct bytes rest = bytes_of(names ? names : "");
    size_t left = names ? 1 : 0;
    for (size_t i = 0; i < rest.len; i++)
        left += rest.data[i] == ',';
    *signatures = 0;
    for (; left > 0; left--) {
        struct bytes name = bytes_cut(&rest, ',');
        int bit = 0;
        for (int i = 0; i < name_count(); i++)
            if (bytes_equal_text(name, push_signature_names[i]))
                bit = 1 << i;
        if (!bit)
            return refuse(invocation, name);
        *signatures |= bit;
    }
    return EXIT_DONE;
}

int signatures_option_check_keys(const struct invocation *invocation, int signatures, const char *api_key,
                                 const struct option_list *secrets)
{
    bool hmac = false, ed25519 = false;
    for (int i = 0; i < secrets->count; i++)
        *(bytes_starts(bytes_of(secrets->items[i]), "whsk_") ? &ed25519 : &hmac) = true;
    if (signatures & PUSH_WEBHOOK_AUTH && !api_key)
        return command_wrong(invocation, "--signatures webhook-auth needs --api-key");
    if (signatures & PUSH_STANDARD && !hmac && !ed25519)
        return command_wrong(invocation, "--signatures standard needs --secret");
    for (int i = 0; i < name_count(); i++) {
        if (signatures & PUSH_SIGNATURES_OTHERS & 1 << i && !hmac)
            return command_wrong(invocation, "--signatures %s needs --secret whsec_...: its key is that text",
                                 push_signature_names[i]);
        if (signatures & PUSH_ED25519 & 1 << i && !ed25519)
            return command_wrong(invocation,
                                 "--signatures %s needs --secret whsk_...: it signs with an Ed25519 key",
                                 push_signature_names[i]);
    }
    return EXIT_DONE;
}
