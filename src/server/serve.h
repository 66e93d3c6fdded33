/* serve: the commands `posthorn serve` and `posthorn init`. argv[0] is the command's name. */
#pragma once
int serve_main(int argc, char **argv);
int init_main(int argc, char **argv);
