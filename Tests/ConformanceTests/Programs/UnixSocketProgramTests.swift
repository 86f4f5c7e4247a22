import Testing

/// Programs of Debian that talk through UNIX sockets.
@Suite struct UnixSocketProgramTests {
  private static let python = Command(
    name: "python unix sockets",
    arguments: [
      "/usr/bin/python3", "-c",
      """
      import asyncio, multiprocessing.connection as c, os, shutil, socket, socketserver, tempfile, threading
      os.chdir(tempfile.mkdtemp())
      class Upper(socketserver.StreamRequestHandler):
        def handle(self):
          for line in self.rfile: self.wfile.write(line.upper())
      with socketserver.ThreadingUnixStreamServer('upper', Upper) as server:
        threading.Thread(target=server.serve_forever).start()
        for i in range(5):
          with socket.socket(socket.AF_UNIX) as s:
            s.connect('upper'); s.sendall(b'line %d\\n' % i * 1000); s.shutdown(socket.SHUT_WR)
            print(len(b''.join(iter(lambda: s.recv(4096), b''))))
        server.shutdown()
      async def main():
        async def answer(reader, writer):
          writer.write((await reader.readline())[::-1]); await writer.drain(); writer.close()
        server = await asyncio.start_unix_server(answer, 'reverse')
        async def ask(n):
          reader, writer = await asyncio.open_unix_connection('reverse')
          writer.write(b'%d\\n' % n); result = await reader.read(); writer.close(); return result
        print(await asyncio.gather(*(ask(n) for n in range(100, 140))))
        server.close()
      asyncio.run(main())
      a, b = socket.socketpair()
      r, w = os.pipe(); socket.send_fds(a, [b'pipe'], [w]); os.close(w)
      data, files, flags, _ = socket.recv_fds(b, 9, 4); os.write(files[0], b'through'); print(data, os.read(r, 9))
      listener = c.Listener('listener', authkey=b'key')
      t = threading.Thread(target=lambda: print(c.Client('listener', authkey=b'key').recv())); t.start()
      listener.accept().send({'n': [1, 2]}); t.join()
      listener.close(); shutil.rmtree(os.getcwd())
      """,
    ])

  @Test(.enabled(if: Programs.exists("/usr/bin/python3"), "needs python3"), arguments: Mode.tested)
  func pythonServers(_ mode: Mode) async throws { try await expectSame(UnixSocketProgramTests.python, mode) }

  @Test(.enabled(if: Programs.exists("dbus-run-session"), "needs dbus-daemon"), arguments: Mode.tested)
  func dbus(_ mode: Mode) async throws {
    let command = Command.shell(
      "dbus",
      """
      dbus-run-session -- dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / \
      org.freedesktop.DBus.ListNames 2>/dev/null
      """)
    try await expectSame(command, mode)
  }

  @Test(.enabled(if: Programs.exists("redis-server"), "needs redis-server"), arguments: Mode.tested)
  func redis(_ mode: Mode) async throws {
    let command = Command.shell(
      "redis",
      """
      cd $(mktemp -d)
      redis-server --port 0 --unixsocket $PWD/s --save '' >/dev/null & until [ -S s ]; do sleep 0.05; done
      redis-cli -s $PWD/s set a 5; redis-cli -s $PWD/s incr a
      for i in $(seq 300); do echo "set key$i $i"; done | redis-cli -s $PWD/s | sort | uniq -c
      redis-cli -s $PWD/s dbsize; redis-cli -s $PWD/s shutdown nosave; wait; echo $?; rm -r $PWD
      """)
    try await expectSame(command, mode)
  }
}
