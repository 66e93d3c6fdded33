/*
 * command: the commands of the CLI, one file each, and their exit codes.
 *
 * Every command takes its options from options.h (so --help and wrong usage are alike everywhere) and prints
 * for people, or for programs with --json.
 */
#pragma once

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

/* In the order of --help. */
extern const struct command cli_commands[];
extern const int cli_command_count;

int receive_main(int argc, char **argv);
int trigger_main(int argc, char **argv);
int verify_main(int argc, char **argv);
int events_main(int argc, char **argv);
int deliveries_main(int argc, char **argv);
int resend_main(int argc, char **argv);
int why_main(int argc, char **argv);
int tail_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int catalog_main(int argc, char **argv);
int ips_main(int argc, char **argv);
int postman_main(int argc, char **argv);
int secrets_main(int argc, char **argv);
int mtls_main(int argc, char **argv);
