#!/bin/sh
# Gives this machine an Asterisk >= 20 with AudioSocket. Usage: install.sh [DIR]
#
# In this order: what is in DIR already, the Asterisk on PATH, the distribution's package, and where
# the distribution has none (Debian 12 and 13) a small Debian sid in DIR that Asterisk is run in by
# chroot. Nothing of the machine's own system is replaced. May be run again at any time: it goes on
# where it stopped, and downloaded packages are kept until DIR is complete.
set -eu

data=${YIHU_DATA_DIR:-${XDG_DATA_HOME:-${HOME:-/root}/.local/share}/yihu}
dir=${1:-${YIHU_ASTERISK__ROOT:-$data/asterisk-root}}
oldest=20
megabytes=700 # 505 for the system, the rest for its packages while they are unpacked

say() { echo "asterisk: $*"; }
die() {
    echo "asterisk: $*" >&2
    exit 1
}

native_fits() {
    command -v asterisk >/dev/null 2>&1 || return 1
    version=$(asterisk -V 2>/dev/null | sed -n 's/^Asterisk[^0-9]*\([0-9][0-9]*\).*/\1/p')
    [ "${version:-0}" -ge "$oldest" ] || return 1
    for module in /usr/lib/*/asterisk/modules /usr/lib/asterisk/modules /usr/lib64/asterisk/modules \
        /usr/local/lib/asterisk/modules; do
        [ -e "$module/app_audiosocket.so" ] && return 0
    done
    return 1
}

package_fits() {
    candidate=$(apt-cache policy asterisk 2>/dev/null | sed -n 's/^ *Candidate: \([0-9]*:\)\{0,1\}//p')
    major=${candidate%%[!0-9]*}
    [ "${major:-0}" -ge "$oldest" ]
}

# Where this machine gets Debian from; nothing on another distribution, debootstrap's default then.
mirror() {
    apt-get indextargets --format '$(CREATED_BY) $(LABEL) $(REPO_URI)' 2>/dev/null |
        sed -n 's/^Packages Debian //p' | head -n 1
}

if [ -x "$dir/usr/sbin/asterisk" ]; then
    say "already in $dir"
    exit 0
fi
if native_fits; then
    say "using $(command -v asterisk), version $version"
    exit 0
fi

command -v apt-get >/dev/null 2>&1 ||
    die "install Asterisk $oldest or newer with app_audiosocket by hand: this is no Debian or Ubuntu"
[ "$(id -u)" -eq 0 ] || die "not found, and installing it needs root: run this as root (sudo)"

say "asking the distribution for a package"
apt-get -qq update ||
    die "apt-get update failed: check the network and the machine's package sources, then run again"
if package_fits; then
    say "installing the distribution's package ($candidate)"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y asterisk >/dev/null ||
        die "apt-get install asterisk failed: see its message above, then run again"
    # Its service would take the SIP port; Yihu starts its own.
    [ -d /run/systemd/system ] && systemctl disable --quiet --now asterisk
    native_fits || die "the package has no app_audiosocket; set asterisk.root to a folder that has"
    exit 0
fi

parent=$(dirname "$dir")
mkdir -p "$parent"
parent=$(cd "$parent" && pwd)
dir=$parent/$(basename "$dir")
free=$(df -Pk "$parent" | awk 'NR == 2 { print int($4 / 1024) }')
[ "$free" -ge "$megabytes" ] ||
    die "$parent has $free MB free, $megabytes MB are needed: free some, or set asterisk.root to a folder elsewhere"

if ! command -v debootstrap >/dev/null 2>&1; then
    say "installing debootstrap"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y debootstrap debian-archive-keyring >/dev/null ||
        die "apt-get install debootstrap failed: see its message above, then run again"
fi

log=$dir.log
rm -rf --one-file-system "$dir.partial" # what was downloaded is in .debs
mkdir -p "$dir.debs"
say "the distribution has none: building a Debian sid with Asterisk in $dir (about 1 to 3 minutes)"
# shellcheck disable=SC2046  # no mirror found means no argument
{
    debootstrap --variant=minbase --include=asterisk,ca-certificates --cache-dir="$dir.debs" \
        sid "$dir.partial" $(mirror) 2>&1 && echo "yihu: built"
} | tee "$log" | awk '
    function step(what) { if (what != last) { print "asterisk:   " what; fflush(); last = what } }
    /^I: Retrieving/ { if (++got % 50 == 0) step("downloaded " got " packages") }
    /^I: Extracting/ { step("extracting") }
    /^I: Unpacking/ { step("unpacking") }
    /^I: Configuring/ { step("configuring") }'
if ! grep -q '^yihu: built$' "$log"; then
    grep '^[EW]:' "$log" | tail -n 3 >&2 || true
    die "building it failed (all of it: $log): check the network and the disk, then run again"
fi
[ -x "$dir.partial/usr/sbin/asterisk" ] || die "sid has no asterisk at the moment (see $log)"
rm -rf "$dir.partial/var/cache/apt/archives" "$dir.debs"
mkdir -p "$dir.partial/var/cache/apt/archives"
mv "$dir.partial" "$dir"
say "ready in $dir"
