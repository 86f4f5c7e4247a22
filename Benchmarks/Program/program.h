#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <sys/types.h>

/// Monotonic time in microseconds.
double now(void);

/// Ends the program with a message unless the condition holds.
void require(int condition, const char *what);

/// Waits for a child that has to succeed.
void wait_for(pid_t pid);

/// Prints the time of one operation: the median of five batches, after a short warm-up.
void report(const char *name, void (*operation)(void), int count);

/// Sockets of the loopback interface and pairs.
void network(double scale);

/// Work done by more and more threads and processes at once.
void curve(double scale);
