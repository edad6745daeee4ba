"""`weft images`."""

import argparse
import json
import sys
from pathlib import Path

from weft.cli.found import found
from weft.cli.progress import Progress
from weft.lab import system
from weft.lab.images.archive import load
from weft.lab.images.store import ImageStore

EXAMPLES = """examples:
  weft images build busybox nginx python toolbox     from this machine's own programs, offline
  weft images load app.tar                           an archive of docker save, or an OCI layout
  weft images ls -o json

Every node pulls from this one store before it asks a real registry, so `image: nginx` works offline.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="ls | load FILE … | build NAME …")
    listing = verbs.add_parser("ls", help="list the images of the lab")
    listing.add_argument("-o", "--output", choices=("table", "json"), default="table")
    loading = verbs.add_parser("load", help="load image archives")
    loading.add_argument("files", nargs="+", type=Path, metavar="FILE")
    building = verbs.add_parser("build", help="build images from this machine's programs")
    building.add_argument("names", nargs="+", metavar="NAME", help="busybox, nginx, python, toolbox")


def run(args: argparse.Namespace) -> int:
    _, layout = found(args.name)
    store = ImageStore(layout.images)
    if args.verb == "ls":
        _list(store, args.output)
    elif args.verb == "load":
        for file in args.files:
            for reference in load(store, file):
                print(f"loaded {reference}")
    else:
        _build(store, args.names)
    return 0


def _list(store: ImageStore, output: str) -> None:
    rows = store.images()
    if output == "json":
        documents = [{"name": str(name), "digest": manifest.digest, "bytes": size} for name, manifest, size in rows]
        json.dump(documents, sys.stdout, indent=2)
        print()
        return
    width = max((len(str(name)) for name, _, _ in rows), default=4)
    print(f"{'IMAGE':<{width}}  {'DIGEST':<19}  SIZE")
    for name, manifest, size in rows:
        print(f"{name!s:<{width}}  {manifest.digest[:19]}  {size / 1e6:.1f} MB")


def _build(store: ImageStore, names: list[str]) -> None:
    known = system.image_definitions()
    for name in names:
        if name not in known:
            raise ValueError(f"there is no image definition {name!r} (there are: {', '.join(known)})")
    progress = Progress()
    for name in names:
        with progress.step(f"image {name}"):
            system.build_into(store, name, known[name], lambda _text: None, anew=True)
        for reference in known[name].names:
            print(f"built {reference}")
