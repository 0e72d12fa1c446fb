#!/usr/bin/env bash
# Pillow 13.0.0: an uncompressed grey TIFF whose Orientation is 5 to 8 (the camera was held upright),
# opened by its path, is scrambled: the file is mapped into memory as rows of the turned width, and
# the result turned again. Opened as a file object, or compressed, or in colour, it is right.
#
#   stored                        by path, seen               as a file object, seen
#   [[10 11 12] [13 14 15]        [[18 14 10] [19 15 11]      [[19 16 13 10] [20 17 14 11]
#    [16 17 18] [19 20 21]]        [20 16 12] [21 17 13]]      [21 18 15 12]]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install pillow==13.0.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'END'
import numpy as np
from PIL import Image

stored = np.arange(10, 22, dtype=np.uint8).reshape(4, 3)
picture = Image.fromarray(stored)
exif = picture.getexif()
exif[0x0112] = 6  # seen upright when turned by 90° clockwise
picture.save("turned.tif", exif=exif)
upright = np.rot90(stored, -1)

with Image.open("turned.tif") as by_path:
    by_path.load()
    seen = np.asarray(by_path)
with open("turned.tif", "rb") as file, Image.open(file) as as_file:
    as_file.load()
    right = np.asarray(as_file)
print(seen, right, sep="\n")
assert right.tolist() == upright.tolist()
assert seen.tolist() == [[18, 14, 10], [19, 15, 11], [20, 16, 12], [21, 17, 13]]
END
