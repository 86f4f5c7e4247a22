#pragma once

// What the cases of this program share. Ports are the kernel's choice and are never printed, as the native run uses the
// host's own loopback interface.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "guest.h"

/// An address of either version.
union address {
  struct sockaddr any;
  struct sockaddr_in inet;
  struct sockaddr_in6 inet6;
};

/// 127.0.0.1 or ::1, any of the family's (`any_address`), or another address by its text; and a port.
union address loopback(int family, int port);
union address any_address(int family, int port);
union address address_of(int family, const char *text, int port);
socklen_t size_of(const union address *address);
int port_of(const union address *address);

/// A socket, bound to an address with a port of the kernel's choice; for streams it listens with the backlog if that is
/// not negative. Stores the whole address.
int bound(int family, int type, int backlog, union address *address);
/// Two connected streams: [0] has connected, [1] was accepted.
void connected_pair(int family, int ends[2]);

/// Prints the result of a call: its value, or its errno.
void show(const char *what, long result);
/// The same where the value is a descriptor.
void show_ok(const char *what, long result);
/// Prints an address without its port: whether it has one.
void show_address(const char *what, const union address *address);
/// Waits up to a second for any of `wanted`, then prints all that poll(2) tells.
void show_events(const char *what, int fd, short wanted);
/// Prints `SO_ERROR`.
void show_error(const char *what, int fd);
/// Prints an option that is an int.
void show_option(const char *what, int fd, int level, int option);
int set_option(int fd, int level, int option, int value);
/// Lets the host's network do what it has begun.
void settle(void);

// The cases
void tcp_basics(void);
void tcp_names(void);
void tcp_refused(void);
void tcp_nonblocking(void);
void tcp_states(void);
void tcp_shutdowns(void);
void tcp_resets(void);
void tcp_listener_end(void);
void tcp_backlog(void);
void tcp_self(void);
void tcp_disconnect(void);
void tcp_flags(void);
void tcp_urgent(void);
void tcp_pressure(void);
void tcp_epoll(void);
void tcp_options(void);
void tcp_signals(void);
void tcp_ten_thousand(void);
void tcp_half_open(void);
void tcp_vanishing_peer(void);
void tcp_killed_with_many(void);
void tcp_slow_reader(void);
void bind_conflicts(void);
void bind_addresses(void);
void dual_stack(void);
void reuse_port(void);
void udp_basics(void);
void udp_connected(void);
void udp_errors(void);
void udp_overflow(void);
void udp_information(void);
void udp_multicast(void);
void udp_corking(void);
void ip_options(void);
void ipv6_options(void);
void socket_types(void);
