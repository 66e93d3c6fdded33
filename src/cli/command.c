#include "command.h"

const struct command cli_commands[] = {
    {"receive", "a web-callbacks handler: each event in a file", receive_main},
    {"trigger", "send an example event", trigger_main},
    {"verify", "is this push genuine, and if not, which part is wrong", verify_main},
    {"events", "the events a server has accepted", events_main},
    {"deliveries", "what became of an event, attempt by attempt", deliveries_main},
    {"resend", "send a delivery, or all of an event, once more", resend_main},
    {"why", "what became of an event, in plain sentences", why_main},
    {"tail", "new events and outcomes, live", tail_main},
    {"doctor", "does this URL work as a receiver, and if not, why", doctor_main},
    {"catalog", "the event types, and an example of each", catalog_main},
    {"ips", "the addresses that deliveries come from", ips_main},
    {"secrets", "the secrets that your events are signed with", secrets_main},
    {"mtls", "the TLS identity that is shown to a webhook_url", mtls_main},
    {"postman", "a Postman collection of them, and of the API", postman_main},
};
const int cli_command_count = sizeof cli_commands / sizeof *cli_commands;
