#!/bin/sh
# Runs in the virtual machine of tools/vm.py: makes this machine's files the root, writable in memory, and runs the
# command of /run/share. Arguments: the directory below which lib/modules lies.
set -eu
kernel=$1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
modprobe -d "$kernel" overlay
mkdir -p /run/vm
mount -t tmpfs -o size=75% vm /run/vm
cd /run/vm
mkdir lower upper work root
# What is below does not change: caching spares thousands of questions to the host whenever a program starts.
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose weft.root lower
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work,xino=off vm root
cd root
mount -t proc proc proc
mount -t sysfs sys sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs run run
mkdir -p run/old run/share lib/modules var/lib/weft
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 weft.share run/share
mount -t tmpfs -o size=75% weft var/lib/weft # an overlay cannot be the upper layer of containerd's overlays
rm -rf "lib/modules/$(uname -r)"
ln -s "$kernel/lib/modules/$(uname -r)" lib/modules/
hostname vm
pivot_root . run/old
cd /
ip link set lo up
status=0
sh /run/share/command > /run/share/output 2>&1 || status=$?
echo "$status" > /run/share/status
