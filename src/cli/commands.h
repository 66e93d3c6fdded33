/* commands: the commands of src/cli, one file each. */
#pragma once
#include "command.h"

extern const struct command receive_command, trigger_command, verify_command, events_command,
    deliveries_command, resend_command, why_command, tail_command, doctor_command, catalog_command,
    ips_command, endpoints_command, jobs_command, secrets_command, mtls_command, postman_command;
