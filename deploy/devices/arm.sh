#!/usr/bin/env bash
# Set up an ARM Python with onnxruntime that runs on this machine, from Debian's arm64 packages and qemu user mode, in one
# folder. Requires Debian and network access to the Debian and Python package indexes. Needs no root, installs nothing.
#   deploy/devices/arm.sh .venv/arm    # writes .venv/arm/python
set -euo pipefail
mkdir -p "$1" && folder=$(realpath "$1") && rm -rf "${folder:?}"/*

apt() {  # apt-get for one architecture, with separate lists and caches
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

python=$folder/python.new  # renamed when the setup is complete
cat >"$python" <<END
#!/bin/sh
exec "$folder/usr/bin/qemu-aarch64-static" -L "$folder/root" "$folder/root/usr/bin/python3" "\$@"
END
chmod +x "$python"

# Versions of onnxruntime after 1.22.1 crash in qemu 7.2.
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"${PYTHON:-python3}" -m pip install -q --no-deps --only-binary :all: --target "$folder/root/usr/lib/python3/dist-packages" \
    --implementation cp --python-version "$version" --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
    onnxruntime==1.22.1 numpy
rm -rf "$folder/arm64" "${folder:?}/$host"
"$python" -c 'import onnxruntime, platform; print(platform.machine(), "onnxruntime", onnxruntime.__version__)'
mv "$python" "$folder/python"
