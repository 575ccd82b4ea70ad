"""Stages a package's tree as cargo-deb would: `cargo metadata ... | stage.py FOLDER BINARY VERSION`, in the crate's folder.

What is to be in it says [package.metadata.deb] of Cargo.toml; of that only what stands there is understood, and anything else
is an error. Debian's own tools do the rest (build.sh).
"""

import glob
import gzip
import json
import os
import shutil
import subprocess
import sys
import textwrap

UNDERSTOOD = {
    "maintainer", "license-file", "changelog", "section", "priority", "depends", "suggests", "extended-description",
    "maintainer-scripts", "conf-files", "assets",
}


def main(folder, binary, version):
    package = json.load(sys.stdin)["packages"][0]
    deb = package["metadata"]["deb"]
    if unknown := set(deb) - UNDERSTOOD:
        sys.exit(f"stage.py does not know these keys of [package.metadata.deb]: {', '.join(sorted(unknown))}")
    name = package["name"]
    for source, target, mode in deb["assets"]:
        if source == f"target/release/{name}":
            sources = [binary]
        else:
            sources = sorted(glob.glob(source)) or sys.exit(f"there is no {source}")
        for source in sources:
            put(source, in_folder(target, source), mode, folder)
    put(deb["license-file"][0], f"usr/share/doc/{name}/copyright", "644", folder)
    put(deb["changelog"], f"usr/share/doc/{name}/changelog.Debian", "644", folder)
    control = os.path.join(folder, "DEBIAN")
    os.makedirs(control)
    for script in ("preinst", "postinst", "prerm", "postrm"):
        source = os.path.join(deb["maintainer-scripts"], script)
        if os.path.exists(source):
            put(source, f"DEBIAN/{script}", "755", folder)
    write(control, "conffiles", "".join(f"{path}\n" for path in deb["conf-files"]))
    write(control, "control", fields(package, deb, folder, version))


def in_folder(target, source):
    return target + os.path.basename(source) if target.endswith("/") else target


def put(source, target, mode, folder):
    """Copies a file; what Debian's policy has compressed is, without a time in it."""
    compressed = target.startswith("usr/share/man/") or os.path.basename(target) in ("changelog", "changelog.Debian")
    path = os.path.join(folder, target + ".gz" if compressed else target)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if compressed:
        with open(source, "rb") as file, open(path, "wb") as out, gzip.GzipFile("", "wb", 9, out, 0) as packed:
            shutil.copyfileobj(file, packed)
    else:
        shutil.copyfile(source, path)
    os.chmod(path, int(mode, 8))


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)


def fields(package, deb, folder, version):
    architecture = output("dpkg", "--print-architecture")
    sizes = (os.lstat(os.path.join(at, file)).st_size for at, _, files in os.walk(folder) for file in files
             if not at.endswith("/DEBIAN"))
    program = os.path.join(folder, "usr/bin", package["name"])
    depends = deb["depends"].replace("$auto", libraries(program))
    lines = [
        f"Package: {package['name']}",
        f"Version: {version}",
        f"Architecture: {architecture}",
        f"Section: {deb['section']}",
        f"Priority: {deb['priority']}",
        f"Maintainer: {deb['maintainer']}",
        f"Installed-Size: {sum((size + 2047) // 1024 for size in sizes)}",
        f"Depends: {depends}",
        f"Suggests: {deb['suggests']}",
        f"Description: {package['description']}",
        *(f" {line}" for line in textwrap.wrap(deb["extended-description"], 79)),
    ]
    return "\n".join(lines) + "\n"


def libraries(program):
    """The packages of the libraries that the program is linked with, in the versions that it needs."""
    here = os.path.join(os.path.dirname(program), "..", "..", "debian")
    os.makedirs(here)
    # dpkg-shlibdeps wants to be in a source package.
    write(here, "control", "")
    try:
        found = output("dpkg-shlibdeps", "-O", os.path.abspath(program), cwd=os.path.dirname(here))
    finally:
        shutil.rmtree(here)
    return found.removeprefix("shlibs:Depends=")


def output(*command, cwd=None):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd).stdout.strip()


main(*sys.argv[1:])
