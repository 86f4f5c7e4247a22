import Foundation
import Testing

/// What tools tell of a sandbox's network: what they tell of a host that has nothing but its loopback device, which this
/// machine's root may make.
@Suite struct NetworkToolTests {
  private static let isPossible =
    getuid() == 0 && ["unshare", "ip", "ss", "netstat", "ifconfig", "python3", "mount"].allSatisfy(Programs.exists)
    && Programs.succeeds("exec unshare -n -m mount -t sysfs none /sys 2>/dev/null")

  private static let script = """
    ip addr show lo; ip -br link show lo; ip route show table all | grep -v 'ff00::/8'; ip rule; ip -6 rule; ip neigh; ip route get 127.0.0.1; ip route get 127.1.2.3; ip route get 192.0.2.1
    ip addr add 10.1.2.3/24 dev lo; ip addr show lo; ip addr del 10.1.2.3/24 dev lo; ip -br addr show lo
    ifconfig lo | head -3; netstat -rn; netstat -tln; ss -tln; ss -uan
    cat /proc/net/route /proc/net/if_inet6 /proc/net/tcp /proc/net/udp /proc/net/tcp6 /proc/net/udp6 /proc/net/arp
    for f in address addr_len broadcast carrier flags ifindex iflink mtu operstate type dev_id link_mode; do echo $f $(cat /sys/class/net/lo/$f); done; ls /proc/sys/net/core/somaxconn; cat /proc/sys/net/ipv4/ip_local_port_range
    python3 -c 'import socket; print(socket.if_nameindex())'
    """

  @Test(
    .enabled(
      if: NetworkToolTests.isPossible, "needs root, network namespaces, and the tools of iproute2 and net-tools"),
    arguments: Mode.tested)
  func toolsTellWhatTheyTellOfALoopbackDevice(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let script = try directory.write("tools.sh", Self.script)
    // A link comes up after the command that has it come up.
    let native = Command(
      name: "tools",
      arguments: [
        "unshare", "-n", "-m", "/bin/sh", "-c",
        "mount -t sysfs none /sys; ip link set lo up; while ! grep -q lo /proc/net/if_inet6; do sleep 0.1; done; sh \(script)",
      ])
    let outcome = try await Runner.native(native)
    let inside = try await Runner.apus(Command(name: "tools", arguments: ["/bin/sh", script]), mode: mode)
    expect(inside, isLike: outcome, name: "tools on \(mode)")
  }
}
