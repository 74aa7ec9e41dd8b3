#!/usr/bin/env python3
"""Times `opml` against other runtimes: the same models, inputs and numbers of threads, one after another in the same run.

    python3 benches/peers/run.py [NAME ...] [--seconds S] [--threads 1,2] [--json FILE]

Sets up what it needs by itself: a virtual environment with ONNX Runtime (requirements.txt), tract and rten (native/, minutes to build), the
models (fixtures/fetch.py, fixtures/real/). Prints a table of milliseconds and ratios; a ratio above 1 means that `opml` is faster.
ONNX Runtime int8 is the faster of its static QDQ and its dynamic quantisation of the same model.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "peers"


def call(*command, **options):
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT, **options)


def set_up():
    """Everything outside Python's standard library, once; then this script again inside its environment."""
    python = WORK / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(WORK / "venv", with_pip=True)
        call(python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", HERE / "requirements.txt")
    call("cargo", "build", "--quiet", "--release", "-p", "opml-prover", "-p", "opml-benches", "--bins")
    native = ["cargo", "build", "--quiet", "--release", "--manifest-path", HERE / "native" / "Cargo.toml"]
    call(*native, "--target-dir", WORK / "native")
    call(sys.executable, "fixtures/fetch.py", stdout=subprocess.DEVNULL)
    call(sys.executable, "fixtures/real/fetch.py", stdout=subprocess.DEVNULL)
    call(python, "fixtures/real/inputs.py", stdout=subprocess.DEVNULL)
    os.execv(python, [str(python), str(HERE / "compare.py"), *sys.argv[1:]])


if __name__ == "__main__":
    set_up()
