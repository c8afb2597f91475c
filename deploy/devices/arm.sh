#!/usr/bin/env bash
# An ARM Python with onnxruntime that runs on this machine: qemu's user mode and Debian's packages for arm64, unpacked into
# a folder. Needs Debian and a way to its packages and to PyPI; neither root nor a change to this system.
#   deploy/devices/arm.sh .venv/arm    makes    .venv/arm/python
set -euo pipefail
mkdir -p "$1" && folder=$(realpath "$1") && rm -rf "${folder:?}"/*

apt() {  # of an architecture, with lists and files of its own
    local own=$folder/$1
    mkdir -p "$own/lists/partial" "$own/archives/partial"
    touch "$own/status"
    apt-get -qq -o APT::Architecture="$1" -o APT::Architectures="$1" -o Debug::NoLocking=1 \
        -o Dir::State="$own" -o Dir::State::status="$own/status" -o Dir::Cache="$own" "${@:2}"
}

apt arm64 update
apt arm64 install --download-only -y --no-install-recommends python3 libstdc++6
mkdir "$folder/root"
for package in "$folder"/arm64/archives/*.deb; do dpkg -x "$package" "$folder/root"; done

host=$(dpkg --print-architecture)
apt "$host" update
(cd "$folder/$host/archives" && apt "$host" download qemu-user-static 2>/dev/null)
dpkg-deb --fsys-tarfile "$folder/$host"/archives/qemu-user-static_*.deb | tar -xC "$folder" ./usr/bin/qemu-aarch64-static

python=$folder/python.new  # until all is there
cat >"$python" <<END
#!/bin/sh
exec "$folder/usr/bin/qemu-aarch64-static" -L "$folder/root" "$folder/root/usr/bin/python3" "\$@"
END
chmod +x "$python"

# 1.22.1: later ones crash in qemu 7.2.
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"${PYTHON:-python3}" -m pip install -q --no-deps --only-binary :all: --target "$folder/root/usr/lib/python3/dist-packages" \
    --implementation cp --python-version "$version" --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
    onnxruntime==1.22.1 numpy
rm -rf "$folder/arm64" "${folder:?}/$host"
"$python" -c 'import onnxruntime, platform; print(platform.machine(), "onnxruntime", onnxruntime.__version__)'
mv "$python" "$folder/python"
