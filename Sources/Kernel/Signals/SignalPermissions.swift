import FileSystem
import LinuxABI

/// Who may signal whom, and signals to several processes (kill(2)).
extension Kernel {
  /// - Throws: `EPERM` where the sender's credentials don't allow it.
  func checkSignal(_ signal: Signal, from sender: Task, to target: Task) throws(Errno) {
    let mine = sender.credentials
    let theirs = target.credentials
    if sender.group === target.group || mine.has(.kill) { return }
    if mine.euid == theirs.suid || mine.euid == theirs.uid || mine.uid == theirs.suid || mine.uid == theirs.uid {
      return
    }
    if signal == Signal.cont, sender.group.session === target.group.session { return }
    throw .notPermitted
  }

  /// Sends to a process after checking permission; the null signal checks alone.
  func send(_ info: SignalInfo, from sender: Task, to group: ThreadGroup) throws(Errno) {
    guard let target = group.leader else { throw .noSuchProcess }
    try checkSignal(info.signal, from: sender, to: target)
    guard info.signal != .null else { return }
    if send(info, to: group) == .overLimit { throw .resourceTemporarilyUnavailable }
  }

  /// Sends to one task after checking permission.
  func send(_ info: SignalInfo, from sender: Task, to task: Task) throws(Errno) {
    try checkSignal(info.signal, from: sender, to: task)
    guard info.signal != .null else { return }
    if send(info, to: task) == .overLimit { throw .resourceTemporarilyUnavailable }
  }

  /// kill(2) of a process group.
  /// - Throws: `ESRCH` for an empty one; `EPERM` where no member could be signalled.
  func send(_ info: SignalInfo, from sender: Task, toProcessGroup id: ProcessID) throws(Errno) {
    try send(info, from: sender, toAll: processTable.processGroups[id]?.members.filter { $0.leader != nil } ?? [])
  }

  /// kill(2) of process −1: every process but the sender's and process 1.
  func sendToAll(_ info: SignalInfo, from sender: Task) throws(Errno) {
    try send(info, from: sender, toAll: processes.filter { $0 !== sender.group && $0.leader != nil })
  }

  private func send(_ info: SignalInfo, from sender: Task, toAll members: [ThreadGroup]) throws(Errno) {
    var failure = Errno.noSuchProcess
    var anySucceeded = false
    for member in members {
      do throws(Errno) {
        try send(info, from: sender, to: member)
        anySucceeded = true
      } catch {
        failure = error
      }
    }
    if !anySucceeded { throw failure }
  }
}
