// Names of sockets: files, the abstract namespace, and none.

#define _GNU_SOURCE 1
#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "unix_sockets.h"

static void own_name(const char *what, int fd) {
  struct sockaddr_un address;
  socklen_t size = sizeof address;
  memset(&address, 0x7f, sizeof address);
  if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
    show_name(what, &address, size);
  else
    guest_result(what, -1);
}

static void peer_name(const char *what, int fd) {
  struct sockaddr_un address;
  socklen_t size = sizeof address;
  memset(&address, 0x7f, sizeof address);
  if (getpeername(fd, (struct sockaddr *)&address, &size) == 0)
    show_name(what, &address, size);
  else
    guest_result(what, -1);
}

void paths(void) {
  guest_scratch();
  umask(027);
  int fd = make(SOCK_STREAM);
  own_name("unnamed", fd);
  peer_name("nobody", fd);
  show("listen", listen(fd, 1));
  show("bind", bind_to(fd, "s"));
  own_name("name", fd);
  struct stat status;
  CHECK(stat("s", &status) == 0);
  printf("mode %o\n", status.st_mode);
  show("twice", bind_to(fd, "other"));
  show("exists", access("other", F_OK));
  show("twice the same", bind_to(fd, "s"));
  int other = make(SOCK_STREAM);
  show("taken", bind_to(other, "s"));
  show("no directory", bind_to(other, "none/s"));
  show("slash", bind_to(other, "t/"));
  CHECK(symlink("target", "link") == 0);
  show("link", bind_to(other, "link"));
  CHECK(fchmod(other, 0600) == 0);
  show("private", bind_to(other, "p"));
  CHECK(stat("p", &status) == 0);
  printf("mode %o\n", status.st_mode);
  show("not listening", connect_to(make(SOCK_STREAM), "s"));
  CHECK(listen(fd, 5) == 0);
  int client = make(SOCK_STREAM);
  show("connect", connect_to(client, "s"));
  peer_name("peer", client);
  own_name("client", client);
  show("datagram socket", connect_to(make(SOCK_DGRAM), "s"));
  show("packet socket", connect_to(make(SOCK_SEQPACKET), "s"));
  show("directory", connect_to(make(SOCK_STREAM), "."));
  show("missing", connect_to(make(SOCK_STREAM), "missing"));
  close(open("file", O_CREAT | O_WRONLY, 0600));
  show("file", connect_to(make(SOCK_STREAM), "file"));
  show("open", open("s", O_RDWR));
  show("path only", open("s", O_PATH) >= 0 ? 0 : -1);
  char self[64];
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  show("through proc", open(self, O_RDWR));
  CHECK(rename("s", "moved") == 0);
  show("renamed", connect_to(make(SOCK_STREAM), "moved"));
  own_name("old name", fd);
  CHECK(link("moved", "hard") == 0);
  show("hard link", connect_to(make(SOCK_STREAM), "hard"));
  CHECK(unlink("link") == 0 && symlink("hard", "link") == 0);
  show("symbolic link", connect_to(make(SOCK_STREAM), "link"));
  CHECK(unlink("moved") == 0 && unlink("hard") == 0);
  show("gone", connect_to(make(SOCK_STREAM), "moved"));
  show("again", bind_to(make(SOCK_STREAM), "s"));
  show("nobody there", connect_to(make(SOCK_STREAM), "s"));
  int accepted = accept(fd, NULL, NULL);
  CHECK(accepted >= 0);
  own_name("accepted", accepted);
  peer_name("accepted's peer", accepted);
  close(client);
  peer_name("closed peer", accepted);
  close(fd);
  struct sockaddr_un address;
  memset(&address, 'x', sizeof address);
  address.sun_family = AF_UNIX;
  int full = make(SOCK_DGRAM);
  show("long", bind(full, (struct sockaddr *)&address, sizeof address));
  own_name("long name", full);
  show("too long", bind(make(SOCK_DGRAM), (struct sockaddr *)&address, sizeof address + 1));
  show("short", bind(make(SOCK_DGRAM), (struct sockaddr *)&address, 1));
  address.sun_family = AF_INET;
  show("family", bind(make(SOCK_DGRAM), (struct sockaddr *)&address, sizeof address));
  int value;
  show("file of a socket", ioctl(accepted, 0x89e0, &value) >= 0 || errno == EPERM ? 0 : -1);
  // Permissions: of the socket, and of the way to it.
  mode_t modes[] = {0777, 0200, 0022, 0, 0555};
  for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
    char path[16];
    snprintf(path, sizeof path, "m%o", modes[i]);
    make_listener(path, SOCK_STREAM, 5);
    CHECK(chmod(path, modes[i]) == 0 && chmod(".", 0755) == 0);
    IN_CHILD({
      if (geteuid() == 0) CHECK(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
      show(path, connect_to(make(SOCK_STREAM), path));
    });
  }
}

void abstract_names(void) {
  int first = make(SOCK_STREAM), second = make(SOCK_STREAM);
  char text[64];
  snprintf(text, sizeof text, "@apus-test-%d", getpid());
  show("bind", bind_to(first, text));
  show("taken", bind_to(second, text));
  show("other type", bind_to(make(SOCK_DGRAM), text));
  show("not listening", connect_to(make(SOCK_STREAM), text));
  CHECK(listen(first, 3) == 0);
  show("connect", connect_to(second, text));
  show("packet socket", connect_to(make(SOCK_SEQPACKET), text));
  struct sockaddr_un address;
  socklen_t size = sizeof address;
  CHECK(getpeername(second, (struct sockaddr *)&address, &size) == 0);
  printf("%d %d\n", size == offsetof(struct sockaddr_un, sun_path) + strlen(text), address.sun_path[0]);
  // Zeros belong to the name.
  size = name(&address, text);
  show("longer", connect(make(SOCK_STREAM), (struct sockaddr *)&address, size + 1));
  close(first);
  show("closed", connect_to(make(SOCK_STREAM), text));
  first = make(SOCK_STREAM);
  show("free again", bind_to(first, text));
  // Automatic names.
  int third = make(SOCK_DGRAM);
  address = (struct sockaddr_un){.sun_family = AF_UNIX};
  show("automatic", bind(third, (struct sockaddr *)&address, 2));
  size = sizeof address;
  CHECK(getsockname(third, (struct sockaddr *)&address, &size) == 0);
  printf("size %u, %d, %d digits\n", size, address.sun_path[0], (int)strspn(address.sun_path + 1, "0123456789abcdef"));
  show("again", bind(third, (struct sockaddr *)&address, 2));
  show("named", bind_to(third, text));
  int one = 1, fourth = make(SOCK_DGRAM);
  CHECK(setsockopt(fourth, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) == 0);
  CHECK(connect(fourth, (struct sockaddr *)&address, size) == 0);
  CHECK(getsockname(fourth, (struct sockaddr *)&address, &size) == 0);
  printf("with credentials: size %u\n", size);
  show("connect to nothing", connect(make(SOCK_STREAM), (struct sockaddr *)&address, 2));
  address.sun_path[0] = 0;
  show("empty name", bind(make(SOCK_STREAM), (struct sockaddr *)&address, 3));
}
