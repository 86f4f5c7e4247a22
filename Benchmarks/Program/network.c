// Sockets: round trips, throughput, connections, and a server of many.

#include "program.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { block_size = 64 << 10, connections = 1000, in_flight = 50 };

static int here, there;
static struct sockaddr_in server;
static socklen_t server_size = sizeof server;
static char block[block_size];

/// A socket that is bound to 127.0.0.1, and listens if it is a stream; -1 where the machine has no loopback interface.
static int make_server(int type) {
  const int fd = socket(AF_INET, type, 0);
  server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (fd < 0 || bind(fd, (struct sockaddr *)&server, sizeof server) != 0) return -1;
  require(getsockname(fd, (struct sockaddr *)&server, &server_size) == 0, "getsockname");
  if (type == SOCK_STREAM) require(listen(fd, connections) == 0, "listen");
  return fd;
}

static int connect_to_server(int type) {
  const int fd = socket(AF_INET, type, 0), one = 1;
  require(fd >= 0 && connect(fd, (struct sockaddr *)&server, sizeof server) == 0, "connect");
  if (type == SOCK_STREAM) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

/// Makes `here` and `there` the ends of a connection; false where there is no loopback interface.
static int connect_pair(void) {
  const int listener = make_server(SOCK_STREAM);
  if (listener < 0) return 0;
  here = connect_to_server(SOCK_STREAM);
  there = accept(listener, NULL, NULL);
  require(there >= 0, "accept");
  close(listener);
  return 1;
}

static void round_trip(void) {
  char byte = 1;
  require(send(here, &byte, 1, 0) == 1 && recv(here, &byte, 1, 0) == 1, "round trip");
}

static void write_block(void) { require(write(here, block, block_size) == block_size, "write"); }

/// Runs `work` with `there` in a child, measures with `here`, and ends the child by closing `here`.
static void with_child(void (*work)(void), const char *name, void (*operation)(void), int count) {
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    close(here);
    work();
    _exit(0);
  }
  close(there);
  report(name, operation, count);
  shutdown(here, SHUT_RDWR);
  close(here);
  wait_for(child);
}

static void echo_bytes(void) {
  char byte;
  while (recv(there, &byte, 1, 0) == 1 && byte != 0) require(send(there, &byte, 1, 0) == 1, "echo");
}

static void read_blocks(void) {
  while (read(there, block, block_size) > 0) {}
}

static void connect_accept_close(void) {
  const int client = connect_to_server(SOCK_STREAM), accepted = accept(here, NULL, NULL);
  require(accepted >= 0, "accept");
  close(client);
  close(accepted);
}

static void serve_all(void) {
  const int epoll = epoll_create1(0);
  struct epoll_event events[64] = {{.events = EPOLLIN, .data = {.fd = here}}};
  require(epoll_ctl(epoll, EPOLL_CTL_ADD, here, events) == 0, "epoll_ctl");
  int open = 0, accepted = 0;
  while (accepted < connections || open > 0) {
    const int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      char byte;
      const int fd = events[i].data.fd;
      if (fd == here) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.fd = accept(here, NULL, NULL)}};
        require(epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) == 0, "epoll_ctl");
        open++, accepted++;
      } else if (recv(fd, &byte, 1, 0) == 1) {
        require(send(fd, &byte, 1, 0) == 1, "answer");
      } else {
        close(fd);
        open--;
      }
    }
  }
}

static int clients[connections];

/// One operation is one request of one of the connections; some are on their way at once.
static double request_all(void) {
  char byte = 1;
  const double start = now();
  for (int first = 0; first < connections; first += in_flight) {
    for (int i = first; i < first + in_flight; i++) require(send(clients[i], &byte, 1, 0) == 1, "request");
    for (int i = first; i < first + in_flight; i++) require(recv(clients[i], &byte, 1, 0) == 1, "answer");
  }
  return (now() - start) / connections;
}

static void epoll_server(int rounds) {
  const struct rlimit limit = {4096, 4096};
  setrlimit(RLIMIT_NOFILE, &limit);
  here = make_server(SOCK_STREAM);
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    serve_all();
    _exit(0);
  }
  close(here);
  for (int i = 0; i < connections; i++) clients[i] = connect_to_server(SOCK_STREAM);
  double best = request_all();
  for (int i = 1; i < rounds; i++) {
    const double time = request_all();
    if (time < best) best = time;
  }
  for (int i = 0; i < connections; i++) close(clients[i]);
  wait_for(child);
  printf("epoll server, 1,000 connections\t%.3f\n", best);
  fflush(stdout);
}

void network(double scale) {
  int ends[2];
  require(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
  here = ends[0], there = ends[1];
  with_child(echo_bytes, "AF_UNIX round trip", round_trip, 3000);
  if (!connect_pair()) return;
  with_child(echo_bytes, "TCP round trip", round_trip, 3000);
  connect_pair();
  with_child(read_blocks, "TCP, write of 64 KiB", write_block, 3000);
  here = make_server(SOCK_STREAM);
  report("TCP connect+accept+close", connect_accept_close, 2000);
  close(here);
  there = make_server(SOCK_DGRAM);
  here = connect_to_server(SOCK_DGRAM);
  struct sockaddr_in client;
  socklen_t size = sizeof client;
  require(getsockname(here, (struct sockaddr *)&client, &size) == 0, "getsockname");
  require(connect(there, (struct sockaddr *)&client, size) == 0, "connect");
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    echo_bytes();
    _exit(0);
  }
  report("UDP round trip", round_trip, 3000);
  char stop = 0;
  require(send(here, &stop, 1, 0) == 1, "stop");
  wait_for(child);
  close(here);
  close(there);
  epoll_server(scale < 0.5 ? 2 : 10);
}
