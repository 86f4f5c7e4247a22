import FileSystem
import LinuxABI
import Platform

/// The end of tasks and processes (exit(2), exit_group(2)).
extension Kernel {
  /// Ends a whole process: every task of it ends at its next chance. The first call decides the status.
  func endGroup(_ group: ThreadGroup, _ status: WaitStatus) {
    guard group.exitStatus == nil else { return }
    group.exitStatus = status
    for task in group.tasks {
      if task.state == .stopped {
        scheduler.makeRunnable(task)
      } else {
        kick(task)
      }
    }
  }

  /// Ends a task that is not inside the guest. The last one ends its process.
  func endTask(_ task: Task) {
    guard !task.hasEnded else { return }
    leaveMemory(of: task)
    task.call.end()?.letGo()
    task.files.release()
    task.state = task.isLeader ? .zombie : .dead
    if servedTask === task { servedTask = nil }
    disarm(task.deadlineTimer)
    let group = task.group
    group.usage.add(task.usage)
    group.tasks.removeAll { $0 === task }
    if let heir = group.tasks.first { group.handChildren(of: task.id, to: heir.id) }
    retargetSignals(from: task)
    if group.isStopped { announceStop(of: group) }
    if !task.isLeader { processTable.remove(task) }
    group.taskQueue.wake()
    if group.tasks.isEmpty {
      endProcess(group, status: group.exitStatus ?? .exited(task.exitCode))
    }
  }

  /// What happens when a task lets go of its address space, at exit and at execve(2): robust futexes, the futex of
  /// `CLONE_CHILD_CLEARTID`, the vfork parent; then its host thread, and the memory where nobody shares it.
  func leaveMemory(of task: Task) {
    let memory = task.memory
    releaseRobustFutexes(of: task)
    if !task.clearChildTID.isNull {
      if memory.sharers > 1, (try? memory.writeValue(task.clearChildTID, UInt32(0))) != nil {
        wakeFutex(at: task.clearChildTID, in: memory)
      }
      task.clearChildTID = .null
    }
    if let parent = task.vforkParent {
      task.vforkParent = nil
      parent.wakeUp()
    }
    task.group.usage.maximumResident = max(task.group.usage.maximumResident, memory.residentBytes)
    task.thread.exit()
    memory.sharers -= 1
    guard memory.sharers == 0 else { return }
    // Memory use is at its highest just before some is given back.
    if statistics.collectsTimes { _ = physicalMemory.usedBytes }
    if memory.process.isDead { memory.abandon() } else { memory.destroy() }
  }

  private func endProcess(_ group: ThreadGroup, status: WaitStatus) {
    group.exitStatus = status
    group.isZombie = true
    group.executable = nil
    if let leader = group.leader { tracer?.taskEnded(leader, status) }
    stopTimers(of: group)
    group.endQueue.wake()
    reparentChildren(of: group)
    if group.isSessionLeader { hangUpSession(of: group) }
    signalOrphanedProcessGroups(leaving: group)
    if group === firstGroup { return endSandbox(status) }
    guard let parent = group.parent else { return reap(group) }
    let action = parent.signals.handlers[Signal.chld]
    notifyParent(of: group, status)
    if group.exitSignal == Signal.chld,
      action.handler == SignalAction.ignoreHandler || action.flags.contains(.noChildWait)
    {
      // What nobody waits for is not counted as the children's (getrusage(2)).
      reap(group, isWaitedFor: false)
    }
  }

  /// Forgets a zombie.
  func reap(_ group: ThreadGroup, isWaitedFor: Bool = true) {
    if let parent = group.parent {
      if isWaitedFor {
        parent.childUsage.add(group.usage)
        parent.childUsage.add(group.childUsage)
      }
      parent.children.removeAll { $0 === group }
    } else {
      orphanUsage.add(group.usage)
      orphanUsage.add(group.childUsage)
    }
    group.leader?.state = .dead
    processTable.remove(group)
    group.leader = nil
    group.endQueue.wake()
  }

  /// Gives a dead process's children to the nearest subreaper, or to process 1, which reaps them itself.
  private func reparentChildren(of group: ThreadGroup) {
    var reaper = group.parent
    while let candidate = reaper, !candidate.isSubreaper || candidate.isZombie { reaper = candidate.parent }
    for child in group.children {
      for task in child.tasks where task.attributes.parentDeathSignal != .null {
        var info = SignalInfo(signal: task.attributes.parentDeathSignal, code: SignalInfo.siUser)
        info.pid = group.id
        info.uid = group.leader?.credentials.uid ?? 0
        send(info, to: task)
      }
      child.parent = reaper
      child.parentThread = reaper?.tasks.first?.id ?? .initial
      if let reaper {
        reaper.children.append(child)
        if child.isZombie {
          notifyParent(of: child, child.exitStatus ?? .exited(0))
        }
      } else if child.isZombie {
        reap(child)
      }
    }
    group.children = []
  }

  /// The leader of a session is gone: its foreground processes get SIGHUP and SIGCONT (setsid(2)).
  private func hangUpSession(of group: ThreadGroup) {
    guard let terminal = terminal(of: group) else { return }
    send(Signal.hup, toProcessGroup: terminal.foregroundGroup)
    send(Signal.cont, toProcessGroup: terminal.foregroundGroup)
    terminal.session = .nobody
    terminal.foregroundGroup = .zero
  }

  /// Stopped process groups that no longer have a parent in their session get SIGHUP and SIGCONT (setpgid(2)).
  private func signalOrphanedProcessGroups(leaving group: ThreadGroup) {
    let stopped = group.session.stoppedMembers.filter { $0 !== group }
    for candidate in stopped where candidate.parent == nil && isOrphaned(candidate.processGroup) {
      send(SignalInfo(signal: Signal.hup, code: SignalInfo.siKernel), to: candidate)
      send(SignalInfo(signal: Signal.cont, code: SignalInfo.siKernel), to: candidate)
    }
  }

  /// The first process has ended: so does the sandbox.
  func endSandbox(_ status: WaitStatus) {
    guard outcome == nil else { return }
    outcome = status
    for cpu in scheduler.cpus {
      scheduler.wake(cpu)
      if let task = cpu.current, task.scheduling.isInGuest { task.thread.preempt() }
    }
    services.stop()
  }

  // MARK: Host processes that die

  /// The trap said that the host process is gone: its guest ends as by SIGKILL.
  func hostProcessDied(_ task: Task) { endTasks(of: task.memory.process) }

  /// Ends every guest process whose memory is in a dead host process.
  package func endTasks(of process: any GuestProcess) {
    // Every host process dies in the end, most of them with no guest process in them any more.
    var affected: [ThreadGroup] = []
    for group in groups.values where group.tasks.contains(where: { $0.memory.process === process }) {
      affected.append(group)
    }
    for task in affected.sorted(by: { $0.id < $1.id }).flatMap(\.tasks)
    where task.memory.process === process && !task.hasEnded {
      if task.group.exitStatus == nil { reportDeath(of: task, process.deathReason) }
      endGroup(task.group, .signaled(Signal.kill))
    }
  }
}

extension Kernel {
  /// Tells the user where it was Apus that ended a process.
  private func reportDeath(of task: Task, _ reason: Trap.DeathReason) {
    let text =
      switch reason {
      case .killed: ""
      case .unresponsive: "it worked on without answering a preemption"
      case .memoryOperationFailed: "the host refused a change of its memory or a thread"
      case .protocolViolation: "it claimed what the host shows to be false"
      }
    if !text.isEmpty { report?("ended process \(task.group.id) (\(task.name)): \(text)") }
  }
}
