#pragma once

// What the files of this program share.

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "guest.h"

/// Prints the result of a call: its value, or its errno.
void show(const char *what, long result);
/// Prints what poll(2) says of a descriptor, whatever it is asked for.
void show_events(const char *what, int fd);
/// Prints a name, as getsockname(2) and others give it.
void show_name(const char *what, const struct sockaddr_un *address, socklen_t size);

int make(int type);
/// The address of a path, or with `@` before it of an abstract name, and its size.
socklen_t name(struct sockaddr_un *address, const char *text);
long bind_to(int fd, const char *text);
long connect_to(int fd, const char *text);
/// A listener with that name.
int make_listener(const char *text, int type, int backlog);
/// Sends one byte and files.
long send_files(int fd, const int *files, int count);
/// Receives one byte and up to 8 files; prints what else came. Returns the number of files.
int receive_files(const char *what, int fd, int *files, int flags);

void paths(void);
void abstract_names(void);
void connections(void);
void backlogs(void);
void states(void);
void datagrams(void);
void datagram_queues(void);
void buffers(void);
void peeks(void);
void urgent(void);
void credentials(void);
void peers(void);
void files(void);
void cycles(void);
void many(void);
void killed(void);
void polls(void);
