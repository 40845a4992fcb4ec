#!/bin/busybox sh
# The emulated machine's first process, in its initramfs: makes this machine's files, read-only through 9p with a
# layer in memory above them, the root of the guest, and runs guest.py there. /settings gives checkout, modules and
# release.
/bin/busybox mkdir -p /proc /sys /dev /host /layer /new /sbin
/bin/busybox --install -s /bin
export PATH=/bin
. /settings
mount -t proc proc /proc
mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
for module in $load; do
  insmod "/modules/$module" || echo "init: $module was not loaded"
done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=1048576,cache=loose host /host
mount -t tmpfs -o size=75% layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /new

mount -t proc proc /new/proc
mount -t sysfs sys /new/sys
mount -t devtmpfs dev /new/dev
mkdir -p /new/dev/pts /new/dev/shm /new/lib/modules
mount -t devpts pts /new/dev/pts
for folder in /new/dev/shm /new/tmp /new/run /new/var/tmp; do
  mount -t tmpfs tmp "$folder"
  chmod 1777 "$folder"
done
mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
mount -t bpf bpf /new/sys/fs/bpf
mount -t tracefs trace /new/sys/kernel/tracing
ln -s "$modules/$release" "/new/lib/modules/$release"

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 CHECKOUT="$checkout"
hostname weir-guest
exec switch_root /new /bin/sh -c '
  ulimit -n 65536
  ip link set lo up
  /usr/bin/python3 "$CHECKOUT/e2e/kernels/guest.py" /dev/ttyS1
  sync
  echo o >/proc/sysrq-trigger
  sleep 60'
