import Testing

/// Scripts for busybox's shell and tools: one static program, started over and over.
@Suite(.enabled(if: Programs.exists("busybox"), "needs busybox-static"))
struct BusyboxTests {
  private static func script(_ name: String, _ text: String) -> Command {
    .shell(name, with: ["busybox", "sh"], text)
  }

  static let shellScripts = [
    script("echo", "echo hello; echo error >&2; exit 3"),
    script(
      "pipeline",
      """
      seq 1 1000 | grep 7 | sort -rn | head -n 5 | tr '\\n' ' '; echo; seq 10 | while read n
      do echo $((n*n)); done | tail -n 3
      """
    ),
    script(
      "here-document",
      """
      name=world; cat <<END | tr a-z A-Z
      hello $name
      $(echo nested | sed s/e/E/)
      END
      cat <<'END'
      no $expansion
      END
      """
    ),
    script(
      "subshells",
      """
      x=1; (x=2; echo inner $x; exit 5); echo outer $x status $?; { x=3; }; echo $x; y=$(echo a
      (echo b); echo c); echo $y; false || (true && echo and)
      """
    ),
    script(
      "traps",
      """
      trap 'echo got USR1' USR1; trap 'echo bye' EXIT; kill -USR1 $$; (trap 'echo child term
      exit 9' TERM; kill -TERM $(sh -c 'echo $PPID'); sleep 1); echo status $?
      """
    ),
    script(
      "background",
      """
      for i in 3 1 2; do (sleep 0.$i; exit $i) & done; wait; echo all; (exit 7) & wait $!; echo $?
      sleep 10 & kill $!; { wait $!; } 2>/dev/null; echo $?
      """
    ),
    script(
      "loops",
      """
      i=0; while [ $i -lt 200 ]; do i=$((i+1)); done; echo $i; for f in a b c
      do case $f in b) echo found;; *) echo no;; esac; done; n=0; until false; do n=$((n+1))
      [ $n = 50 ] && break; done; echo $n
      """
    ),
    script(
      "redirections",
      """
      cd $(mktemp -d); echo one >f; echo two >>f; cat <f; exec 3>g; echo three >&3; exec 3>&-; cat g
      ls missing 2>/dev/null || echo failed; { echo out; echo err >&2; } >both 2>&1; wc -l <both; : >f
      test -s f || echo empty; rm -r $PWD
      """
    ),
    script("many commands", "i=0; while [ $i -lt 60 ]; do /bin/busybox true; i=$((i+1)); done; echo done $i"),
    script(
      "files",
      """
      cd $(mktemp -d); mkdir -p a/b/c; touch a/x a/b/y; ln -s x a/link; ln a/x a/hard; cp -r a d
      mv d/b e; chmod 751 e; ls -l a | tail -n +2 | awk '{print $1,$2,$NF}'; find . | sort; stat -c '%a %F' e
      rm -rf a; ls; rmdir missing; echo $?
      """
    ),
    script(
      "fifo", "cd $(mktemp -d); mkfifo p; (echo through the pipe >p) & cat p; wait; rm p; echo done"),
    script("signal death", "sh -c 'kill -SEGV $$'; echo $?; sh -c 'kill -KILL $$'; echo $?"),
    script(
      "tar and gzip",
      """
      cd $(mktemp -d); mkdir t; for i in 1 2 3 4 5 6 7 8 9; do seq 1 $((i*1000)) >t/f$i; done
      tar czf t.tgz t; mkdir u; tar xzf t.tgz -C u; cat u/t/* | md5sum; tar tzf t.tgz | sort
      gzip -c t/f9 | gunzip | cmp - t/f9 && echo same; rm -r $PWD
      """
    ),
    script(
      "awk and sed",
      """
      seq 1 5000 | awk '{s+=$1; if ($1%1000==0) print NR, s} END {print s/NR}'; echo 'a:b:c' | sed -e 's/:/ /g' -e 's/^/> /'; printf '3 c\\n1 a\\n2 b\\n' | sort | sed -n 2p; awk 'BEGIN { while ((\"seq 5\" | getline x) > 0) t += x; print t }'
      """
    ),
    script("environment", "X=1 env | grep ^X; export Y=2; sh -c 'echo $Y'; unset Y; echo \"[$Y]\"; env | grep -c PATH"),
    script(
      "exit in pipeline", "true | false; echo $?; false | true; echo $?; ! true; echo $?; sh -c 'exit 300'; echo $?"),
    script(
      "dd",
      "dd if=/dev/zero bs=64k count=64 2>/dev/null | md5sum; dd if=/dev/urandom bs=1k count=10 2>/dev/null | wc -c"),
    script(
      "kill and jobs",
      """
      # Whether the shell tells of an ended job depends on when it looks.
      exec 2>/dev/null
      sleep 100 & a=$!; sleep 100 & b=$!; kill -STOP $a; kill -CONT $a; kill $a $b; wait $a; echo $?
      wait $b; echo $?; kill $a || echo gone
      """
    ),
    script("time-out", "timeout 0.2 sleep 10; echo $?; timeout 100 true; echo $?"),
    script("large heredoc", "awk 'BEGIN { for (i = 0; i < 20000; i++) print \"line\", i }' | sort -r | uniq | wc"),
  ]

  @Test(arguments: shellScripts, Mode.tested)
  func shell(_ command: Command, _ mode: Mode) async throws { try await expectSame(command, mode) }

  static let largeTrees = [
    script("find", "find /usr/share -type f | sort | md5sum; find /usr/lib -name '*.so*' -type l | wc -l"),
    script("ls", "ls -laR /usr/share/doc 2>&1 | wc; ls -la /usr/bin | md5sum"),
    script("grep -r", "grep -rl copyright /usr/share/perl* /usr/share/doc/[a-c]* 2>/dev/null | sort | md5sum"),
    script("tar tree", "tar cf - /usr/share/perl* /etc/[a-m]* 2>/dev/null | wc -c"),
    script("sizes", "find /usr/share/[a-f]* -type f -size +20k -exec wc -c {} + | sort -n | tail -n 20"),
  ]

  @Test(arguments: largeTrees, Mode.tested)
  func largeTree(_ command: Command, _ mode: Mode) async throws { try await expectSame(command, mode) }
}
