#pragma once

// What the files of this program share.

#include "guest.h"

/// Prints the result of a call: its value, or its errno.
void show(const char *what, long result);

/// Without privileges, whoever runs the program.
void drop_privileges(void);

void options(void);
void privileged_options(void);
void timeouts(void);
void message_lists(void);
