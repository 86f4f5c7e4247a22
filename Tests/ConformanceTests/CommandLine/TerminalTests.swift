import Foundation
import Testing

/// Guests on the caller's terminal: keys reach them, and the terminal is as before when apus has ended.
@Suite struct TerminalTests {
  private func start(_ script: String, on terminal: Terminal) throws {
    try terminal.start([Programs.apus, "run", "--", "/bin/sh", "-c", script])
  }

  @Test func modesAreRestoredAtTheEnd() async throws {
    let terminal = try Terminal()
    let before = terminal.modes
    try start("stty raw -echo; echo ready; read line; exit 3", on: terminal)
    #expect(await terminal.read(until: "ready").contains("ready"))
    #expect(terminal.modes != before)
    terminal.type("\n")
    #expect(await terminal.wait() == 3)
    #expect(terminal.modes == before)
  }

  @Test func modesAreRestoredWhenTheGuestIsKilled() async throws {
    let terminal = try Terminal()
    let before = terminal.modes
    try start("stty raw -echo; kill -KILL $$", on: terminal)
    #expect(await terminal.wait() == 137)
    #expect(terminal.modes == before)
  }

  @Test func modesAreRestoredWhenApusIsToldToEnd() async throws {
    let terminal = try Terminal()
    let before = terminal.modes
    try start("stty raw -echo; echo ready; exec sleep 100", on: terminal)
    #expect(await terminal.read(until: "ready").contains("ready"))
    terminal.signal(SIGTERM)
    #expect(await terminal.wait() == 143)
    #expect(terminal.modes == before)
  }

  @Test func controlCInterruptsTheGuest() async throws {
    let terminal = try Terminal()
    try start("trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.05; done", on: terminal)
    #expect(await terminal.read(until: "ready").contains("ready"))
    terminal.type("\u{3}")
    #expect(await terminal.read(until: "caught").contains("caught"))
    #expect(await terminal.wait() == 7)
  }

  @Test func inRawModeControlCIsAByte() async throws {
    let terminal = try Terminal()
    try start("stty raw -echo; echo ready; dd bs=1 count=1 2>/dev/null | od -An -tx1", on: terminal)
    #expect(await terminal.read(until: "ready").contains("ready"))
    terminal.type("\u{3}")
    #expect(await terminal.read(until: "03").contains("03"))
    #expect(await terminal.wait() == 0)
  }

  @Test func linesAndTheEndOfInput() async throws {
    let terminal = try Terminal()
    try start("echo ready; tr a-z A-Z", on: terminal)
    #expect(await terminal.read(until: "ready").contains("ready"))
    terminal.type("hello\n\u{4}")
    #expect(await terminal.read(until: "HELLO").contains("HELLO"))
    #expect(await terminal.wait() == 0)
  }
}
