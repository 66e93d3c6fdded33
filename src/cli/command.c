#include "command.h"

const struct command cli_commands[] = {
    {"receive", "receive events: store each in a file", receive_main},
    {"trigger", "send an example event", trigger_main},
    {"verify", "check whether a push is genuine, and find the part that is wrong", verify_main},
    {"events", "list, show or post events", events_main},
    {"deliveries", "list the deliveries of an event, with every attempt", deliveries_main},
    {"resend", "send a delivery, or all deliveries of an event, again", resend_main},
    {"why", "explain in plain sentences what became of an event", why_main},
    {"tail", "print new events and outcomes as they come", tail_main},
    {"doctor", "check step by step whether a URL works as a receiver", doctor_main},
    {"catalog", "list the event types, with an example of each", catalog_main},
    {"ips", "print the addresses that deliveries come from", ips_main},
    {"secrets", "list, create, rotate or remove your signing secrets", secrets_main},
    {"mtls", "set, show or remove the TLS identity for your webhook URL", mtls_main},
    {"postman", "print a Postman collection of event types and API", postman_main},
};
const int cli_command_count = sizeof cli_commands / sizeof *cli_commands;
