import Foundation
import Testing

/// UNIX sockets of the host that lie in volumes.
@Suite(.enabled(if: Programs.exists("/usr/bin/python3"), "needs /usr/bin/python3")) struct HostSocketTests {
  /// Servers of each type in the directory that is the first argument, until `stop` comes.
  private static let server = """
    import os, socket, sys, threading
    os.chdir(sys.argv[1]); done = threading.Event(); log = []
    def serve(kind, name):
        s = socket.socket(socket.AF_UNIX, kind); s.bind(name); s.listen(1)
        def one(c):
            total = 0
            while True:
                data = c.recv(100000)
                if not data: break
                total += len(data)
                if kind == socket.SOCK_SEQPACKET: c.send(data[::-1])
            if kind == socket.SOCK_STREAM: c.sendall(b"x" * 700000 + b"got %d" % total)
            c.close()
        def loop():
            while True:
                c, _ = s.accept(); threading.Thread(target=one, args=(c,), daemon=True).start()
        threading.Thread(target=loop, daemon=True).start()
    serve(socket.SOCK_STREAM, "stream"); serve(socket.SOCK_SEQPACKET, "packets")
    d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind("datagrams")
    gone = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); gone.bind("gone"); gone.close()
    print("ready", flush=True)
    while True:
        data = d.recv(100000); print(len(data), data[:9].decode(), flush=True)
        if data == b"stop": break

    """

  /// What each prints has to be the same natively and inside.
  private static let client = """
    import array, errno, os, select, socket, sys
    os.chdir(sys.argv[1])
    def tell(what, do):
        try: print(what, do(), flush=True)
        except OSError as e: print(what, errno.errorcode[e.errno], flush=True)
    def connect(kind, name):
        s = socket.socket(socket.AF_UNIX, kind); s.connect(name); return s
    def stream():
        s = connect(socket.SOCK_STREAM, "stream"); s.sendall(b"y" * 500000); s.shutdown(socket.SHUT_WR); data = b""
        while True:
            part = s.recv(65536)
            if not part: return len(data), data[-10:], s.getpeername()
            data += part
    tell("stream", stream)
    def many():
        kept = [connect(socket.SOCK_STREAM, "stream") for _ in range(30)]
        for s in kept: s.sendall(b"abc"); s.shutdown(socket.SHUT_WR)
        return sum(len(s.recv(700010, socket.MSG_WAITALL)) for s in kept)
    tell("many", many)
    def packets():
        s = connect(socket.SOCK_SEQPACKET, "packets"); answers = []
        for size in (3, 1000, 60000): s.send(b"a" * size + b"b"); answers.append(s.recv(100000)[:2])
        s.send(b"one"); s.send(b"two"); answers += [s.recv(9), s.recv(9)]
        return answers
    tell("packets", packets)
    d = connect(socket.SOCK_DGRAM, "datagrams")
    tell("datagrams", lambda: (d.send(b"first"), d.send(b"z" * 50000)))
    u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    tell("addressed", lambda: (u.sendto(b"third", "datagrams"), u.sendto(b"fourth", "datagrams")))
    tell("wrong type", lambda: connect(socket.SOCK_STREAM, "datagrams"))
    tell("nobody", lambda: connect(socket.SOCK_STREAM, "gone"))
    tell("missing", lambda: connect(socket.SOCK_STREAM, "nothing"))
    s = connect(socket.SOCK_STREAM, "stream"); s.setblocking(False); sent = 0; p = select.poll(); p.register(s, select.POLLOUT)
    while sent < 3000000 and p.poll(20000): sent += s.send(b"q" * 40000)
    s.shutdown(socket.SHUT_WR); s.setblocking(True); s.recv(5); s.close(); print("left in the middle")
    tell("stop", lambda: u.sendto(b"stop", "datagrams"))

    """

  private func run(_ client: String, options: String) async throws -> Outcome {
    let directory = try TemporaryDirectory()
    try directory.write("server.py", Self.server)
    try directory.write("client.py", Self.client)
    try FileManager.default.createDirectory(atPath: directory.path + "/s", withIntermediateDirectories: true)
    return try await Runner.host([
      "/bin/sh", "-c",
      """
      D=\(directory.path); A="\(([Programs.apus, "run"]).joined(separator: " ")) \(options)"
      /usr/bin/python3 $D/server.py $D/s >$D/log 2>/dev/null & SERVER=$!
      trap 'kill $SERVER 2>/dev/null' EXIT
      while ! grep -q ready $D/log; do sleep 0.05; done
      \(client)
      """,
    ])
  }

  @Test(arguments: Mode.tested)
  func guestsConnectWhereAVolumeAllowsIt(_ mode: Mode) async throws {
    let end = "; wait $SERVER; cat $D/log"
    let native = try await run("/usr/bin/python3 $D/client.py $D/s\(end)", options: "")
    #expect(native.text.contains("got 500000") && native.text.contains("4 stop"), "\(native.text) \(native.errorText)")
    let options = mode.options.joined(separator: " ")
    let inside = try await run(
      "$A -v $D/s:/s:sockets -- /usr/bin/python3 $D/client.py /s\(end)", options: options)
    expect(inside, isLike: native, name: "sockets of the host on \(mode)")
    let single = try await run(
      "$A -v $D/s/datagrams:/d:ro,sockets -- /usr/bin/python3 -c 'import socket; "
        + "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b\"stop\", \"/d\")'\(end)",
      options: options)
    #expect(single.text == "ready\n4 stop\n", "\(single.text) \(single.errorText)")
  }

  /// Without being allowed nothing is connected to, and the user is told; descriptors never pass.
  @Test(arguments: Mode.tested)
  func otherSocketsOfTheHostAreOutOfReach(_ mode: Mode) async throws {
    let attempt = """
      import array, socket
      for kind, name in ((1, "stream"), (2, "datagrams"), (5, "packets")):
          s = socket.socket(socket.AF_UNIX, kind)
          try: s.connect("/s/" + name); print("connected", name)
          except OSError as e: print(e.strerror); continue
          try: s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1]))]); print("passed")
          except OSError as e: print(e.strerror)
      """
    let options = mode.options.joined(separator: " ")
    let refused = try await run("$A -v $D/s:/s -- /usr/bin/python3 -c '\(attempt)'", options: options)
    #expect(refused.text == String(repeating: "Connection refused\n", count: 3))
    let reason = "apus: socket \"/s/stream\" of the host refused: its volume is not given with :sockets"
    #expect(refused.errorText.contains(reason), "\(refused.errorText)")
    let allowed = try await run("$A -v $D/s:/s:sockets -- /usr/bin/python3 -c '\(attempt)'", options: options)
    #expect(
      allowed.text
        == ["stream", "datagrams", "packets"].map { "connected \($0)\nOperation not permitted\n" }.joined())
    let lower = try await run("$A -- /usr/bin/python3 -c '\(attempt)'; true", options: options + " --workdir /")
    #expect(!lower.text.contains("connected"))
  }
}
