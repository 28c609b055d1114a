#!/bin/sh
# A tunnel at work on this machine: a server in one network namespace, the client in another, on one virtual cable.
#
#   client 192.0.2.2 --------- 192.0.2.1 server        outside
#   sstp-demo 10.99.0.x ~~~~~~ 10.99.0.1 lab0          through the tunnel
set -eu
cd "$(dirname "$0")/../.."

if [ "$(id -u)" != 0 ] && [ -z "${SSTP_DEMO_INNER:-}" ]; then
	if [ ! -w /dev/net/tun ]; then
		echo "This machine gives /dev/net/tun to root only: run \"make demo\" as root."
		exit 1
	fi
	echo "Not root: trying in a user namespace."
	SSTP_DEMO_INNER=1 exec unshare --user --map-root-user --net --mount sh "$0"
fi
if [ -n "${SSTP_DEMO_INNER:-}" ]; then mount -t tmpfs none /run && mkdir -p /run/netns; fi

server=sstp-demo-s$$ client=sstp-demo-c$$ dir=$(mktemp -d) pids=

cleanup() {
	trap - EXIT INT TERM
	for p in $pids; do kill "$p" 2>/dev/null || true; done
	wait 2>/dev/null || true
	ip netns del "$client" 2>/dev/null || true
	ip netns del "$server" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
in_client() { ip netns exec "$client" "$@"; }
in_server() { ip netns exec "$server" "$@"; }
fail() { printf '\n\033[1mThe demo failed: %s\033[0m\n' "$*"; exit 1; }

# wait_line FILE TEXT FROM SECONDS: waits until TEXT appears in FILE after line FROM.
wait_line() {
	i=0
	until tail -n +"$(($3 + 1))" "$1" 2>/dev/null | grep -q "$2"; do
		i=$((i + 1)); [ $i -le $(($4 * 20)) ] || { cat "$1"; fail "it did not say \"$2\" within $4 s"; }
		sleep 0.05
	done
}
lines() { wc -l <"$1"; }
mbits() { sed -n 's/.*sender.*//; /receiver/s/.* \([0-9.]*\) Mbits\/sec.*/\1/p' "$1"; }

say "1. Two namespaces and a cable"
ip netns add "$server"; ip netns add "$client"
ip link add wan netns "$client" type veth peer name wan netns "$server"
in_server sh -c 'ip link set lo up; ip addr add 192.0.2.1/24 dev wan; ip link set wan up'
in_client sh -c 'ip link set lo up; ip addr add 192.0.2.2/24 dev wan; ip link set wan up'
in_client ping -c 1 -W 2 192.0.2.1 | sed -n 2p

say "2. The server: sstp-lab"
echo 'demo:secret' >"$dir/users"
ip netns exec "$server" build/sstp-lab --listen 192.0.2.1:443 --tun lab0 --users "$dir/users" --write-ca "$dir/ca.pem" >"$dir/server.log" 2>&1 &
lab=$!; pids="$lab $pids"
wait_line "$dir/server.log" listening 0 5
tail -n 1 "$dir/server.log"
ip netns exec "$server" iperf3 -s -B 10.99.0.1 >/dev/null 2>&1 &
pids="$! $pids"

say "3. The client's configuration: $dir/config/network"
mkdir "$dir/config"
cat >"$dir/config/network" <<EOF
config interface 'demo'
	option proto 'sstp'
	option server '192.0.2.1'
	option server_name 'vpn.test'
	option ca_cert '$dir/ca.pem'
	option username 'demo'
	option password 'secret'
	option defaultroute '0'
EOF
cat "$dir/config/network"

say "4. sstp up demo --config $dir/config; sstp status demo"
started=$(date +%s%N)
SSTP_SOCKETS=$dir ip netns exec "$client" build/sstp up demo --config "$dir/config" >"$dir/client.log" 2>&1 &
sstp=$!; pids="$sstp $pids"
wait_line "$dir/client.log" ' up  ' 0 10
connect_ms=$((($(date +%s%N) - started) / 1000000))
cat "$dir/client.log"
in_client ip -brief address show dev sstp-demo
SSTP_SOCKETS=$dir in_client build/sstp status demo

say "5. Pings through the tunnel"
in_client ping -c 5 -i 0.2 -W 2 10.99.0.1 | tee "$dir/ping4" | tail -n 3
peer6=$(in_server ip -6 -o addr show dev lab0 scope link | awk '{sub("/.*", "", $4); print $4; exit}')
in_client ping -c 5 -i 0.2 -W 2 "$peer6%sstp-demo" | tee "$dir/ping6" | tail -n 3

say "6. 200 MB up, 200 MB down (iperf3)"
in_client iperf3 -c 10.99.0.1 -n 200M -f m >"$dir/up"; grep -E 'sender|receiver' "$dir/up"
in_client iperf3 -c 10.99.0.1 -n 200M -f m -R >"$dir/down"; grep -E 'sender|receiver' "$dir/down"

say "7. The server cuts the connection during a ping"
ip netns exec "$client" ping -i 0.01 -c 300 -W 1 10.99.0.1 >"$dir/pingcut" 2>&1 &
ping=$!
sleep 0.5
from=$(lines "$dir/client.log")
kill -USR1 "$lab"
wait_line "$dir/client.log" ' up  ' "$from" 10
tail -n +$((from + 1)) "$dir/client.log"
wait $ping || true
tail -n 2 "$dir/pingcut"
lost=$(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$dir/pingcut" | awk '{print $1 - $2}')
took=$(sed -n 's/.*received.* time \([0-9]*\)ms$/\1/p' "$dir/pingcut")

say "8. Ctrl-C"
rss=$(awk '/VmRSS/ {print $2}' "/proc/$sstp/status")
cpu=$(awk -v hz="$(getconf CLK_TCK)" '{print ($14 + $15) / hz}' "/proc/$sstp/stat")
from=$(lines "$dir/client.log")
kill -INT "$sstp"
code=0; wait "$sstp" || code=$?
tail -n +$((from + 1)) "$dir/client.log"
[ $code = 0 ] || fail "exit code $code"
if in_client ip link show sstp-demo >/dev/null 2>&1; then fail "the device is still there"; fi

say "Summary"
rtt() { sed -n 's/^rtt.*= [0-9.]*\/\([0-9.]*\)\/.*/\1/p' "$1"; }
printf '%-34s %s\n' \
	"start to up" "$connect_ms ms" \
	"ping through the tunnel" "IPv4 $(rtt "$dir/ping4") ms, IPv6 $(rtt "$dir/ping6") ms" \
	"200 MB up, down" "$(mbits "$dir/up"), $(mbits "$dir/down") Mbit/s" \
	"pings lost by the cut" "$lost of 300, sent within $took ms" \
	"client's memory, processor time" "$rss KiB resident, $cpu s for 400 MB" \
	"left behind" "nothing (exit code 0, device gone)"
