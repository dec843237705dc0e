#!/usr/bin/env bash
# Responsible for a real object store for tests: one Ceph monitor, one OSD in memory and one S3 gateway, all on 127.0.0.1.
# Needs root and: apt-get install ceph-mon ceph-osd radosgw openssl. Not for production.
#   rgw.sh start [DIR]   rgw.sh stop [DIR]
# Ports: RGW_PORT (default 7480; TLS uses the next one) and RGW_MON_PORT (default 16789).
set -euo pipefail
command=${1:-} dir=$(realpath -m "${2:-${TMPDIR:-/tmp}/cgs-export-rgw}")
port=${RGW_PORT:-7480} mon_port=${RGW_MON_PORT:-16789}
conf=$dir/ceph.conf
export CEPH_CONF=$conf

# Kills only processes that this script started: their command line must contain this directory.
end_all() {
  for name in rgw osd mon; do
    pid=$(cat "$dir/$name.pid" 2>/dev/null) || continue
    grep -qsF "$conf" "/proc/$pid/cmdline" || continue
    kill -CONT "$pid" && kill -KILL "$pid"
    while [ -e "/proc/$pid" ] && ! grep -qs '^State:\sZ' "/proc/$pid/status"; do sleep 0.05; done
  done
}

case $command in
  stop) end_all; rm -rf "$dir"; exit 0 ;;
  start) end_all; rm -rf "$dir" ;;
  *) echo "usage: $0 start|stop [DIR]" >&2; exit 2 ;;
esac

mkdir -p "$dir"/{mon,osd,rgw,run,log,tls}
# A CA, a server certificate for the endpoint and all its buckets, and another CA that signed neither.
cd "$dir/tls"
for ca in ca other-ca; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=test $ca" \
    -keyout "$ca.key" -out "$ca.pem" 2>/dev/null
done
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
  -keyout server.key -out server.csr 2>/dev/null
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.crt \
  -extfile <(echo "subjectAltName=DNS:s3.localhost,DNS:*.s3.localhost,DNS:localhost") 2>/dev/null
cat server.crt server.key >server.pem
cd /

fsid=$(cat /proc/sys/kernel/random/uuid) osd_id=$(cat /proc/sys/kernel/random/uuid)
addresses="[v2:127.0.0.1:$((mon_port + 1)),v1:127.0.0.1:$mon_port]"
cat >"$conf" <<CONF
[global]
fsid = $fsid
mon host = $addresses
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = false
admin socket = $dir/run/\$name.\$pid.asok
run dir = $dir/run
log file = $dir/log/\$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 2000
mon data avail warn = 1
mon data avail crit = 0
paxos propose interval = 0.05
paxos min wait = 0.01
osd objectstore = memstore
memstore device bytes = 2147483648
[mon.a]
mon data = $dir/mon
[osd.0]
osd data = $dir/osd
osd class load list = *
osd class default list = *
[client.rgw]
ms mon client mode = crc
ms mon service mode = crc
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$port ssl_endpoint=127.0.0.1:$((port + 1)) ssl_certificate=$dir/tls/server.pem tcp_nodelay=1
rgw dns name = s3.localhost
rgw thread pool size = 32
rgw enable ops log = false
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = testkey-1=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
rgw s3 auth use sts = true
rgw s3 auth order = local, sts
rgw sts key = abcdefghijklmnop
rgw sts min session duration = 5
CONF
monmaptool --create --fsid "$fsid" --addv a "$addresses" "$dir/monmap" >/dev/null
ceph-mon -c "$conf" -i a --mkfs --monmap "$dir/monmap"
setsid ceph-mon -c "$conf" -i a -f >"$dir/log/mon.out" 2>&1 </dev/null &
echo $! >"$dir/mon.pid"
ceph -c "$conf" --connect-timeout 20 osd new "$osd_id" 0 >/dev/null
ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd_id" >"$dir/log/osd-mkfs.out" 2>&1
setsid ceph-osd -c "$conf" -i 0 -f >"$dir/log/osd.out" 2>&1 </dev/null &
echo $! >"$dir/osd.pid"

# The tests restart the gateway in the same way: see startGateway in test/support/rgw.ts.
setsid radosgw -c "$conf" -n client.rgw -f >"$dir/log/rgw.out" 2>&1 </dev/null &
echo $! >"$dir/rgw.pid"
for _ in $(seq 300); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then ready=yes; break; fi
  sleep 0.1
done
[ "${ready:-}" = yes ] || { tail "$dir"/log/*.out >&2; end_all; exit 1; }

# Demo keys, valid only here. `limited` owns no bucket and gets its rights by policy. `test` may assume roles.
make_user() { radosgw-admin -c "$conf" -n client.rgw user create --uid="$1" --display-name="$1" --access-key="$2" --secret-key="$3" "${@:4}" >"$dir/log/user-$1.json"; }
make_user test rgw-test-key rgw-test-secret --caps='roles=*;buckets=*'
make_user limited rgw-limited-key rgw-limited-secret
echo "http://127.0.0.1:$port  rgw-test-key / rgw-test-secret; TLS: https://s3.localhost:$((port + 1)), CA $dir/tls/ca.pem"
