# SPDX-License-Identifier: PostgreSQL
"""Backups as files: where they lie, what stock tools say of them, and how to damage them."""
import json
import pathlib
import zlib


def backup(dbops, database, *options, **kwargs):
    """Takes a backup into ./backups; (JSON report, folder)."""
    report = dbops("backup", "-d", database, "--dir", dbops.folder / "backups", "--format=json", *options, **kwargs).json
    return report, pathlib.Path(report["path"])


def manifest(folder):
    return json.loads((pathlib.Path(folder) / "dbops.json").read_text())


def table_file(cluster, folder, schema, table):
    """The data file of a table, found by stock pg_restore -l, not by dbops."""
    listing = cluster.tool("pg_restore", "-l", folder).stdout
    for line in listing.splitlines():
        if f" TABLE DATA {schema} {table} " in line:
            return pathlib.Path(folder) / f"{line.split(';')[0]}.dat.gz"
    raise AssertionError(f"no TABLE DATA of {schema}.{table} in:\n{listing}")


def inflate(path):
    """One gzip member, whole, nothing after it: the text."""
    data = pathlib.Path(path).read_bytes()
    decoder = zlib.decompressobj(31)
    text = decoder.decompress(data) + decoder.flush()
    assert decoder.eof and not decoder.unused_data, f"{path} is not exactly one gzip member"
    return text


def full_flushes(path):
    """Offsets right after each full flush of a .dat.gz, that is, where its blocks begin (the first is 10)."""
    data = pathlib.Path(path).read_bytes()
    offsets, at = [10], data.find(b"\x00\x00\xff\xff", 10)
    while at >= 0:
        offsets.append(at + 4)
        at = data.find(b"\x00\x00\xff\xff", at + 4)
    return data, offsets


def flip_bit(path, offset=None):
    data = bytearray(pathlib.Path(path).read_bytes())
    data[offset if offset is not None else len(data) // 2] ^= 0x10
    pathlib.Path(path).write_bytes(data)


def files_below(folder):
    return sorted(str(p.relative_to(folder)) for p in pathlib.Path(folder).rglob("*") if p.is_file())
