"""Reads a PNG picture (W3C PNG, third edition) with nothing but zlib, to see that it shows something."""

import struct
import zlib

CHANNELS = {0: 1, 2: 3, 6: 4}  # grey, RGB, RGBA; 8 bits each


def read(data):
    """Returns (width, height, {colour: number of pixels})."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise AssertionError("not a PNG")
    width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", chunk(data, b"IHDR"))
    if depth != 8 or interlaced or colour_type not in CHANNELS:
        raise AssertionError(f"a kind of PNG that is not read here: depth {depth}, type {colour_type}")
    if chunk(data, b"IEND") != b"":
        raise AssertionError("the PNG has no proper end")
    channels = CHANNELS[colour_type]
    colours = {}
    for row in rows(zlib.decompress(chunk(data, b"IDAT")), width * channels, height, channels):
        for at in range(0, len(row), channels):
            colour = bytes(row[at:at + channels])
            colours[colour] = colours.get(colour, 0) + 1
    return width, height, colours


def chunk(data, kind):
    """Returns the contents of all chunks of a kind, joined; checks their sums."""
    found, at = [], 8
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if zlib.crc32(name + body) != struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0]:
            raise AssertionError(f"the PNG's chunk {name} is damaged")
        if name == kind:
            found.append(body)
        at += 12 + length
    if not found:
        raise AssertionError(f"the PNG has no {kind}")
    return b"".join(found)


def rows(raw, stride, height, bpp):
    """Undoes the filters, row by row."""
    above = bytearray(stride)
    for number in range(height):
        start = number * (stride + 1)
        row = bytearray(raw[start + 1:start + 1 + stride])
        unfilter(raw[start], row, above, bpp)
        yield row
        above = row


def unfilter(kind, row, above, bpp):
    for at, value in enumerate(row):
        left = row[at - bpp] if at >= bpp else 0
        if kind == 1:
            row[at] = (value + left) & 255
        elif kind == 2:
            row[at] = (value + above[at]) & 255
        elif kind == 3:
            row[at] = (value + (left + above[at]) // 2) & 255
        elif kind == 4:
            row[at] = (value + paeth(left, above[at], above[at - bpp] if at >= bpp else 0)) & 255


def paeth(left, up, corner):
    guess = left + up - corner
    by_left, by_up, by_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner
