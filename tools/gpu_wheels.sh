#!/usr/bin/env bash
# Collects what a GPU machine without a network lacks for `python -m tools.gpu_run`:
#
#     bash tools/gpu_wheels.sh wheels          here, from anywhere in the repository
#
# The machine there needs Python 3.12 on x86-64 Linux, torch, torchvision, scikit-learn, h5py, filelock, safetensors,
# joblib, jinja2, matplotlib, tqdm, pytest, pytest-xdist and hypothesis. The folder gets wheels of the other
# dependencies (pydantic with its own, shtab) and of Frostline as it is in this working tree: less than 10 MB. No data
# is carried: images are made up there, and weights are random. Copy the repository and the folder there, and run this
# one command in the repository's root:
#
#     python3 -m pip install --no-index --no-deps --target /tmp/frostline-gpu wheels/*.whl &&
#         PYTHONPATH=/tmp/frostline-gpu python3 -m tools.gpu_run gpu-results
#
# PYTHON names the Python version there, 3.12 if it is not set. Frostline's wheel holds the code: build it last.
set -euo pipefail
[ $# -eq 1 ] || { echo "expected one folder for the wheels, such as: bash tools/gpu_wheels.sh wheels" >&2; exit 2; }
most=$((60 << 20))
mkdir -p "$1"
place=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT

python3 -m pip download -q --only-binary=:all: --implementation cp --python-version "${PYTHON:-3.12}" \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    -d "$place" pydantic shtab
rm -f "$place"/frostline-*.whl
git ls-files -z | tar --null -T - -c | tar -x -C "$source" # a build leaves files where it is done
python3 -m pip wheel -q --no-deps -w "$place" "$source"

size=$(du -sb "$place" | cut -f1)
ls -l "$place"
[ "$size" -lt $most ] || { echo "$place holds $size bytes; expected less than $most" >&2; exit 1; }
