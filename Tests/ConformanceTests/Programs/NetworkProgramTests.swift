import Testing

/// Servers and clients as Debian ships them, both natively or both in one sandbox: they have to say the same. Natively they
/// use the host's loopback interface, so ports are tried until one is free.
@Suite struct NetworkProgramTests {
  /// Runs `$1` with a free port in `$port` until it says on the port that it is there, then `$2`, and ends it.
  private static let prelude = """
    set -u; dir=$(mktemp -d); trap 'kill $server 2>/dev/null; wait 2>/dev/null; rm -rf $dir' EXIT; cd $dir
    with_server() {
      for attempt in $(seq 20); do
        port=$((20000 + RANDOM % 12000)); eval "$1" >log 2>&1 & server=$!
        for moment in $(seq 200); do
          kill -0 $server 2>/dev/null || continue 2
          if (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; then eval "$2"; return; fi
          sleep 0.05
        done
      done
      echo "no server: $(cat log)"
    }

    """

  /// A script of bash, and the programs that it needs.
  struct Script: CustomTestStringConvertible {
    let name: String
    let programs: [String]
    let text: String
    var testDescription: String { name }
    var command: Command { .shell(name, with: ["bash"], text) }
    var isPossible: Bool { (["bash"] + programs).allSatisfy(Programs.exists) }
  }

  /// A server in the foreground, and what is done with it; neither contains a single quote.
  private static func server(_ name: String, with programs: [String], _ server: String, _ client: String) -> Script {
    Script(name: name, programs: programs, text: prelude + "with_server '\(server)' '\(client)'")
  }

  static let scripts = [
    server(
      "http.server and curl", with: ["/usr/bin/python3", "curl"],
      "seq 100000 >numbers; exec /usr/bin/python3 -m http.server $port --bind 127.0.0.1",
      """
      curl -s http://127.0.0.1:$port/numbers | md5sum; curl -s -o /dev/null -w "%{http_code}\\n" http://localhost:$port/no
      ids=; for i in $(seq 20); do curl -s -o out$i http://127.0.0.1:$port/numbers & ids="$ids $!"; done; wait $ids
      cat out* | md5sum; curl -sI http://127.0.0.1:$port/ | head -1
      """),
    server(
      "redis", with: ["redis-server", "redis-cli", "redis-benchmark"],
      "exec redis-server --port $port --save \"\" --bind 127.0.0.1",
      """
      redis-cli -p $port set key value; redis-cli -p $port get key; redis-cli -p $port incrby n 41
      redis-cli -p $port lpush list a b c; redis-cli -p $port lrange list 0 -1
      redis-benchmark -p $port -q -n 2000 -c 20 -t set,get,lpush,mset | tr "\\r" "\\n" | grep -c "requests per second"
      redis-cli -p $port llen mylist; redis-cli -p $port dbsize
      """),
    server(
      "memcached", with: ["memcached", "/usr/bin/python3"], "exec memcached -u root -l 127.0.0.1 -p $port -U $port",
      """
      exec 3<>/dev/tcp/127.0.0.1/$port
      printf "set k 0 0 5\\r\\nhello\\r\\nget k\\r\\nincr k 1\\r\\nquit\\r\\n" >&3; cat <&3
      exec 3<>/dev/tcp/127.0.0.1/$port
      printf "set n 0 0 1\\r\\n4\\r\\nget k\\r\\nget n\\r\\nincr n 5\\r\\nquit\\r\\n" >&3; cat <&3
      """),
    server(
      "git daemon", with: ["git"],
      """
      git init -q --bare repository && git --git-dir=repository config daemon.receivepack true
      exec git daemon --reuseaddr --listen=127.0.0.1 --port=$port --export-all --base-path=$dir $dir
      """,
      """
      git init -q work && cd work && seq 20000 >file && git add file
      git -c user.name=a -c user.email=b commit -qm first && git push -q git://127.0.0.1:$port/repository HEAD:main
      cd .. && git clone -q -b main git://127.0.0.1:$port/repository copy && md5sum copy/file
      git ls-remote git://127.0.0.1:$port/repository | wc -l
      """),
    server(
      "nginx", with: ["nginx", "curl"],
      """
      mkdir -p html tmp; seq 200000 >html/numbers
      echo "daemon off; master_process on; worker_processes 2; pid $dir/pid; error_log stderr; user root;
        events { worker_connections 64; }
        http { access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
        uwsgi_temp_path tmp; scgi_temp_path tmp; sendfile on; tcp_nopush on;
        server { listen 127.0.0.1:$port; root $dir/html; location /twice { proxy_pass http://127.0.0.1:$port/numbers; } } }" >conf
      exec nginx -c $dir/conf -p $dir
      """,
      """
      for i in 1 2 3; do curl -s http://127.0.0.1:$port/numbers | md5sum; done
      curl -s http://127.0.0.1:$port/twice | md5sum; curl -s -r 100-199 http://127.0.0.1:$port/numbers | md5sum
      curl -s -o /dev/null -w "%{http_code}\\n" http://127.0.0.1:$port/nothing
      """),
    Script(
      name: "ping", programs: ["ping"],
      text: """
        for address in 127.0.0.1 127.5.6.7 ::1; do ping -n -c 3 -i 0.05 $address | sed -E 's/time[= ].*//; s/^rtt.*//'; done
        ping -n -c 1 -s 60000 127.0.0.1 | grep -c "60008 bytes"
        """),
  ]

  @Test(arguments: scripts.filter(\.isPossible), Mode.tested)
  func servers(_ script: Script, _ mode: Mode) async throws { try await expectSame(script.command, mode) }
}
