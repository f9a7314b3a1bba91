#!/bin/bash
# The first process of the machine with a kernel of its own: gets network and NFS ready, runs a program, and ends.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/run TMPDIR=/run PYTHONDONTWRITEBYTECODE=1
folder=$1 python=$2 program=$3
mount -t proc proc /proc
mount -t sysfs sys /sys
for place in /run /mnt; do mount -t tmpfs tmpfs "$place"; done
ip link set lo up
ip address add 10.98.0.2/24 dev vec0
ip link set vec0 up
mkdir -p /run/modules/lib/modules
ln -s "/usr/lib/uml/modules/$(uname -r)" /run/modules/lib/modules/
for module in nfs nfsv4; do modprobe -d /run/modules "$module"; done
"$python" "$program" > "$folder/said" 2> "$folder/errors"
echo $? > "$folder/code"
sync
echo o > /proc/sysrq-trigger
sleep 10
