#!/bin/bash
# An NFS server, and a machine with a kernel of its own that can mount what it exports: User-Mode Linux.
# Run in new network, mount and process namespaces. Arguments: a folder for all files of it, the Python and the
# program that the machine is to run. What it says is in FOLDER/said, how it ended in FOLDER/code.
set -eu
folder=$1 python=$2 program=$3

mkdir -p "$folder/exports/open" "$folder/exports/squashed" "$folder/recovery" "$folder/home"

ip link set lo up
ip tuntap add tap0 mode tap
ip address add 10.98.0.1/24 dev tap0
ip link set tap0 up

plugins=$(dirname "$(find /usr/lib -name libfsalvfs.so | head -n 1)")
export_of() {
  echo "EXPORT { Export_Id = $1; Path = $folder/exports/$2; Pseudo = /$2; Access_Type = RW; Squash = $3;"
  echo "  SecType = sys; Transports = TCP; Protocols = 4; FSAL { Name = VFS; } }"
}
{
  echo "NFS_CORE_PARAM { Bind_addr = 10.98.0.1; Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false;"
  echo "  Plugins_Dir = $plugins; }"
  echo "NFSv4 { RecoveryBackend = fs; RecoveryRoot = $folder/recovery; Graceless = true; Grace_Period = 1;"
  echo "  Lease_Lifetime = 2; }"
  echo "NFS_KRB5 { Active_krb5 = false; }"
  export_of 1 open No_Root_Squash
  export_of 2 squashed Root_Squash
} > "$folder/ganesha.conf"
ganesha.nfsd -F -f "$folder/ganesha.conf" -L "$folder/ganesha.log" -p "$folder/ganesha.pid" &

cat > "$folder/init" <<INIT
#!/bin/bash
exec /bin/bash "$(dirname "$program")/init.sh" "$folder" "$python" "$program"
INIT
chmod 755 "$folder/init"
cc -shared -fPIC -O1 -o "$folder/whole_xstate.so" "$(dirname "$0")/whole_xstate.c" -ldl
export TMPDIR=/dev/shm HOME="$folder/home"
# The machine sees the files of this one, and may write in its folder alone.
exec unshare --mount /bin/bash -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@" < /dev/null' \
  "$folder" env LD_PRELOAD="$folder/whole_xstate.so" linux.uml mem=512M root=/dev/root rootfstype=hostfs rootflags=/ rw init="$folder/init" \
  vec0:transport=tap,ifname=tap0,depth=32,gro=1 con=null con0=null,fd:2 con1=null,fd:2 quiet
