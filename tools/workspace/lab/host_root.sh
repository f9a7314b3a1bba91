#!/bin/bash
# The first process of a host of the laboratory: builds the host's own file system, moves into it, and waits.
# Run in new network, mount, process, host name and IPC namespaces. Arguments: the host's name, the folder that
# becomes its root, the folder with its /etc, the size of its disk, its Python ("system", "none", or a folder
# that is to be /opt/python), and its users as name:number.
set -eu
name=$1 root=$2 etc=$3 disk=$4 python=$5
shift 5

hostname "$name"
ip link set lo up
mount --make-rprivate /
mount -t tmpfs -o mode=755 lab "$root"
cd "$root"
mkdir -p dev etc home old opt proc root run/sshd sys tmp usr var/log var/tmp
chmod 700 root
chmod 1777 tmp var/tmp

mount --bind /usr usr
mount -o remount,bind,ro usr
for folder in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$folder" ]; then cp -P "/$folder" .; elif [ -d "/$folder" ]; then mkdir "$folder" && mount --bind "/$folder" "$folder"; fi
done
mount -t tmpfs -o mode=755 local usr/local
mkdir usr/local/bin

if [ "$python" != system ]; then
  mkdir -p var/upper var/work
  mount -t overlay -o "lowerdir=/usr/bin,upperdir=$root/var/upper,workdir=$root/var/work" overlay usr/bin
  rm -f usr/bin/python* usr/bin/pypy*
fi

for file in alternatives ld.so.cache ld.so.conf ld.so.conf.d localtime; do
  if [ -e "/etc/$file" ]; then cp -a "/etc/$file" etc/; fi
done
cp -R "$etc/." etc/
chmod 600 etc/shadow etc/ssh/*_key
if [ "${python#/}" != "$python" ]; then
  mkdir opt/python
  mount --bind "$python" opt/python
  ln -s /opt/python/bin/python3 usr/local/bin/python3
  echo /opt/python/lib > etc/ld.so.conf
  chroot . /sbin/ldconfig
fi

mount -t tmpfs -o mode=755 dev dev
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys

mount -t tmpfs -o "mode=755,size=$disk" home home
for user in "$@"; do
  install -d -m 750 -o "${user#*:}" -g "${user#*:}" "home/${user%:*}"
done

pivot_root . old
umount -l /old
rmdir /old
cd /
/usr/sbin/sshd -f /etc/ssh/sshd_config -E /var/log/sshd.log
echo ready
# A bash that waits takes in the processes whose parents are gone.
exec /bin/bash -c 'trap : TERM INT HUP; while :; do sleep 86400 & wait $!; done' "host $name" < /dev/null > /dev/null 2>&1
