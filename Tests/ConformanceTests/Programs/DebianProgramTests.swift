import Testing

/// Dynamic programs as Debian ships them.
@Suite struct DebianProgramTests {
  static let commands: [Command] = [
    .shell(
      "bash", with: ["bash"],
      """
      set -o pipefail; a=(one two three); echo ${a[@]^^} ${#a[@]}; declare -A m=([x]=1 [y]=2)
      echo ${m[y]}; diff <(seq 5) <(seq 2 6); echo $?; for ((i=0;i<5;i++)); do printf '%d ' $i; done
      echo; [[ abc =~ b(.) ]] && echo ${BASH_REMATCH[1]}; coproc cat; echo hi >&${COPROC[1]}
      read -u ${COPROC[0]} line; echo $line; false | true; echo ${PIPESTATUS[@]}
      """
    ),
    .shell(
      "bash traps", with: ["bash"],
      """
      trap 'echo int' INT; kill -INT $$; trap 'echo chld' CHLD; sleep 0.05; (exit 3); wait; echo end
      exec 5<<<string; cat <&5; ulimit -n 64; ulimit -n; type -t ls
      """
    ),
    .shell(
      "bash jobs", with: ["bash"],
      """
      for i in 1 2 3; do (sleep 0.0$i; exit $i) & p[$i]=$!; done; for i in 3 1 2; do wait ${p[$i]}
      echo $i $?; done; sleep 50 & disown; kill $!; { sleep 0.1; echo late; } & wait -n; echo $?
      """
    ),
    .shell(
      "coreutils",
      """
      cd $(mktemp -d); seq 1 3000 | shuf --random-source=/etc/passwd 2>/dev/null | sort -n | md5sum
      printf 'b\\na\\nc\\n' | tac | paste -s -d,; echo hello | sha256sum
      cut -d: -f1 /etc/passwd | head -n 3; date -u -d @1000000000 +%F_%T; expr 6 '*' 7
      factor 1234567890; split -n 3 /etc/services 2>/dev/null; ls
      comm -12 /etc/passwd /etc/passwd | wc -l
      head -c 100000 /dev/zero | tr '\\0' x | fold -w 100 | uniq -c; basename $PWD | wc -c
      env -i A=1 env; nice -n 3 nice; stat -c %s /etc/passwd; touch -d @5 f; stat -c %Y f
      mktemp -u XXXX | wc -c; truncate -s 1M big; du -b big; cp --sparse=always big copy
      cmp big copy && sync; rm -r $PWD
      """
    ),
    // Inside, /etc/hosts has the sandbox's own name, too.
    .shell(
      "ls",
      """
      ls -la --ignore=hosts --time-style=full-iso /usr/lib /etc | md5sum; ls -1 /usr/bin | wc -l; ls -d /*/ | wc -l
      ls /nonexistent
      """),
    .shell(
      "grep",
      """
      grep -c root /etc/passwd
      grep -rhoE '[a-z]+@[a-z.]+' /usr/share/doc/[a-b]* 2>/dev/null | sort | uniq -c | sort -rn | head -n 5
      seq 100000 | grep -P '^(\\d)\\d*\\1$' | md5sum; grep -q nothing /etc/passwd; echo $?
      """
    ),
    .shell(
      "findutils",
      """
      find /usr/share/doc -maxdepth 2 -name 'copyright' -newermt 1990-01-01 | sort | md5sum
      seq 500 | xargs -n 7 -P 4 echo | wc -l
      find /etc -maxdepth 1 -type d -printf '%f %m\\n' | sort | head
      seq 3 | xargs -I{} sh -c 'echo {}; exit 0'; printf 'a\\0b' | xargs -0 -n1 echo
      """
    ),
    .shell(
      "procps",
      """
      sleep 100 & until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done; ps -o comm= -p $! -p $$; cat /proc/self/status | grep -E '^(Name|State|Threads|Uid)'
      cat /proc/$$/cmdline | tr '\\0' ' '; echo; ls /proc/self/fd | head -n 3; kill $!
      cat /proc/self/maps | grep -c stack; test -r /proc/meminfo && grep -c MemTotal /proc/meminfo
      head -c 5 /proc/uptime | wc -c; cat /proc/self/stat | cut -d' ' -f2
      """
    ),
    .shell(
      "dynamic linking",
      """
      LD_TRACE_LOADED_OBJECTS=1 /bin/ls | grep -c '=>'; /lib64/ld-linux-x86-64.so.2 /bin/echo direct
      LD_PRELOAD=/nonexistent.so /bin/true; echo $?
      """
    ),
    .shell(
      "vdso",
      """
      LD_TRACE_LOADED_OBJECTS=1 /bin/true | sed 's/ (0x[0-9a-f]*)$//'
      sed -n '/vdso/s/.* r/r/p' /proc/self/maps
      """
    ),
  ]

  @Test(arguments: commands.filter { Programs.exists($0.arguments[0]) }, Mode.tested)
  func runs(_ command: Command, _ mode: Mode) async throws { try await expectSame(command, mode) }

  /// What a set-user-ID program is told of itself: its dynamic linker has to be careful (ld.so(8)).
  @Test(.enabled(if: Programs.exists("setpriv"), "needs util-linux"), arguments: Mode.tested)
  func setUserID(_ mode: Mode) async throws {
    let script = """
      cp /bin/true /tmp/own; chmod 755 /tmp/own; cp /bin/true /tmp/root; chmod 4755 /tmp/root
      for program in own root; do
        setpriv --reuid 1000 --regid 1000 --clear-groups env LD_SHOW_AUXV=1 /tmp/$program | grep -c AT_UID
      done
      """
    let outcome = try await Runner.host([Programs.apus, "run"] + mode.options + ["--", "/bin/sh", "-c", script])
    #expect(outcome.text == "1\n0\n", "\(outcome.errorText)")
  }

  static let perlScripts: [Command] = [
    Command(
      name: "perl",
      arguments: [
        "perl", "-e",
        #"""
        my %h; $h{$_ % 7} += $_ for 1..10000; print join(",", map {"$_=$h{$_}"} sort keys %h), "\n";
        my $s = "abc" x 1000; $s =~ s/b(c)/$1x/g; print length $s, "\n"; printf "%.10f\n", atan2(1,1)*4;
        print join(" ", sort { $b <=> $a } map { $_ ** 2 } 1..10), "\n"
        """#,
      ]),
    Command(
      name: "perl processes",
      arguments: [
        "perl", "-e",
        #"""
        $| = 1; my $out = `echo from shell`; print $out; pipe(R, W); if (my $p = fork) { close W;
        print while <R>; waitpid $p, 0; print $? >> 8, "\n" } else { close R; print W "child\n";
        exit 4 } $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 5; };
        print $@; open F, ">", "/tmp/perl.$$"; print F "x" x 100; close F; print -s "/tmp/perl.$$", "\n";
        unlink "/tmp/perl.$$"; print -e "/tmp/perl.$$" ? "there" : "gone", "\n"; exec "sh", "-c", "echo exec;
        exit 6"
        """#,
      ]),
  ]

  @Test(.enabled(if: Programs.exists("perl"), "needs perl"), arguments: perlScripts, Mode.tested)
  func perl(_ command: Command, _ mode: Mode) async throws { try await expectSame(command, mode) }

  private static func python(_ name: String, _ script: String) -> Command {
    Command(name: "python \(name)", arguments: ["/usr/bin/python3", "-c", script])
  }

  static let pythonScripts: [Command] = [
    python(
      "os",
      """
      import os, sys, tempfile, stat
      d = tempfile.mkdtemp(); os.chdir(d)
      open('a', 'w').write('hello'); os.rename('a', 'b'); os.symlink('b', 'c'); os.link('b', 'd')
      print(sorted(os.listdir('.')), os.readlink('c'), os.stat('d').st_nlink, oct(os.stat('b').st_mode))
      os.makedirs('x/y/z'); print([sorted(f) for _, f, _ in os.walk('x')])
      r, w = os.pipe()
      pid = os.fork()
      if pid == 0: os.write(w, b'child'); os._exit(7)
      print(os.read(r, 10), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
      try: os.open('missing', os.O_RDONLY)
      except FileNotFoundError as e: print(e.errno)
      print(os.cpu_count() > 0, os.getcwd() == d, len(os.urandom(8)), os.path.exists('/proc/self'))
      print(os.environ['TERM'], os.umask(0o22), os.get_inheritable(0), os.sysconf('SC_PAGESIZE'))
      with os.scandir('.') as it: print(sorted((e.name, e.is_dir()) for e in it))
      """),
    python(
      "subprocess",
      """
      import subprocess, sys
      print(subprocess.run(['echo', 'hi'], capture_output=True, text=True))
      print(subprocess.run('cat; exit 3', shell=True, input=b'data', capture_output=True))
      p = subprocess.Popen(['sort', '-n'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
      print(p.communicate(b'\\n'.join(str(i * 7 % 100).encode() for i in range(100)))[0][:30])
      try: subprocess.run(['sleep', '10'], timeout=0.2)
      except subprocess.TimeoutExpired: print('timeout')
      ps = [subprocess.Popen([sys.executable, '-c', f'print({i} ** 2)'], stdout=subprocess.PIPE) for i in range(4)]
      print([p.communicate()[0] for p in ps], [p.returncode for p in ps])
      try: subprocess.run(['/nonexistent'])
      except OSError as e: print(type(e).__name__, e.errno)
      p = subprocess.Popen(['sleep', '100']); p.terminate(); print(p.wait())
      """),
    python(
      "threading",
      """
      import threading, queue, time, concurrent.futures, signal
      q = queue.Queue(); lock = threading.Lock(); total = 0
      def work():
        global total
        while (n := q.get()) is not None:
          with lock: total += n
      ts = [threading.Thread(target=work) for _ in range(8)]
      [t.start() for t in ts]; [q.put(i) for i in range(2000)]; [q.put(None) for _ in ts]; [t.join() for t in ts]
      print(total)
      with concurrent.futures.ThreadPoolExecutor(16) as pool: print(sum(pool.map(lambda x: x * x, range(1000))))
      e = threading.Event(); threading.Timer(0.05, e.set).start(); print(e.wait(5), e.is_set())
      b = threading.Barrier(4); out = []
      ts = [threading.Thread(target=lambda: out.append(b.wait() >= 0)) for _ in range(4)]
      [t.start() for t in ts]; [t.join() for t in ts]; print(out)
      signal.signal(signal.SIGALRM, lambda *a: print('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(2)
      loc = threading.local(); loc.x = 1; print(threading.active_count(), loc.x)
      """),
    python(
      "data",
      """
      import json, hashlib, tempfile, zlib, struct, re, collections, random, decimal, sqlite3
      d = {'k%d' % i: [i, i / 3, str(i)] for i in range(2000)}
      s = json.dumps(d, sort_keys=True); print(len(s), hashlib.sha256(s.encode()).hexdigest(), json.loads(s) == d)
      print(hashlib.md5(bytes(10 ** 6)).hexdigest(), zlib.crc32(s.encode()), len(zlib.compress(s.encode())))
      with tempfile.TemporaryFile() as f:
        f.write(b'x' * 3000000); f.seek(10); print(f.read(3), f.seek(0, 2))
      with tempfile.NamedTemporaryFile('w+') as f: f.write('text'); f.flush(); print(open(f.name).read())
      random.seed(1); print(random.random(), collections.Counter('mississippi').most_common(2))
      c = sqlite3.connect(':memory:'); c.execute('create table t(x)'); c.executemany('insert into t values(?)', [(i,) for i in range(1000)])
      print(c.execute('select sum(x) from t').fetchone(), decimal.Decimal(2).sqrt(), struct.pack('<Q', 7))
      """),
    python(
      "multiprocessing",
      """
      import multiprocessing as m, mmap, os
      def f(x): return x * x
      if __name__ == '__main__':
        with m.get_context('fork').Pool(3) as p: print(p.map(f, range(50)))
        q = m.get_context('fork').Queue(); p = m.get_context('fork').Process(target=q.put, args=([1, 2],)); p.start(); print(q.get()); p.join(); print(p.exitcode)
        a = mmap.mmap(-1, 4096); pid = os.fork()
        if pid == 0: a[0:5] = b'child'; os._exit(0)
        os.waitpid(pid, 0); print(a[0:5])
      """),
    python(
      "errors",
      """
      import sys
      print('to stderr', file=sys.stderr)
      def f(n): return f(n + 1)
      try: f(0)
      except RecursionError: print('recursion')
      try: bytearray(1 << 60)
      except (MemoryError, OverflowError) as e: print(type(e).__name__)
      sys.exit(5)
      """),
  ]

  @Test(.enabled(if: Programs.exists("/usr/bin/python3"), "needs python3"), arguments: pythonScripts, Mode.tested)
  func python(_ command: Command, _ mode: Mode) async throws { try await expectSame(command, mode) }

  @Test(.enabled(if: Programs.exists("xz"), "needs xz-utils"), arguments: Mode.tested)
  func xz(_ mode: Mode) async throws {
    let command = Command(
      name: "xz",
      arguments: [
        "/bin/sh", "-c",
        """
        i=0; while [ $i -lt 5 ]; do seq 1 1540000; i=$((i+1)); done | head -c 52428800 >/tmp/xz.$$
        xz -1 -T2 -c /tmp/xz.$$ | xz -dc -T2 | cmp - /tmp/xz.$$ && xz -1 -T2 --block-size=8MiB -c /tmp/xz.$$ | md5sum
        rm /tmp/xz.$$
        """,
      ])
    try await expectSame(command, mode)
  }

  @Test(.enabled(if: Programs.exists("openssl"), "needs openssl"), arguments: Mode.tested)
  func openssl(_ mode: Mode) async throws {
    let speed = Command(name: "openssl speed", arguments: ["openssl", "speed", "-seconds", "1", "sha256"])
    let outcome = try await Runner.apus(speed, mode: mode)
    #expect(outcome.status == 0, "\(outcome.errorText.suffix(300))")
    #expect(outcome.text.contains("sha256"))
    let digest = Command(
      name: "openssl",
      arguments: ["openssl", "enc", "-aes-256-ctr", "-K", "00", "-iv", "00"],
      input: String(repeating: "apus", count: 1000))
    try await expectSame(digest, mode)
  }
}
