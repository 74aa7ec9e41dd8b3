#!/usr/bin/env python3
"""What it takes to open a language model: seconds and memory until it is ready and until the first token, of one or several builds.

    python3 benches/peers/opening.py MODEL.opml TOKENIZER.gguf [--opml PATH]... [--runs 5]

Each build generates one token; the smallest of so many runs counts, builds take turns. Memory is the largest resident set, and of it what is
the process's own (RssAnon): the pages of a mapped file are the system's to take back, and all processes share them. With --cold the model
is dropped from the system's memory before each run (posix_fadvise), so that it comes from the disk.
"""
import argparse
import json
import os
import subprocess
import threading
import time


def own(process, into):
    """The most memory of its own that a process was seen to have, in KiB."""
    while True:
        try:
            with open(f"/proc/{process.pid}/status") as status:
                fields = dict(line.split(":", 1) for line in status)
            into[0] = max(into[0], int(fields["RssAnon"].split()[0]))
        except (OSError, KeyError):
            return  # It is over; whoever waits for it takes it off the list.
        time.sleep(0.002)


def run(opml, model, tokenizer, cold):
    if cold:
        with open(model, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    line = [opml, "generate", model, "--tokenizer", tokenizer, "-p", "The capital of France is", "-n", "1", "--json"]
    seen = [0]
    start = time.monotonic()
    process = subprocess.Popen(line, stdout=subprocess.PIPE)
    watcher = threading.Thread(target=own, args=(process, seen))
    watcher.start()
    said = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    seconds = time.monotonic() - start
    if process.returncode != 0:
        raise SystemExit(f"{opml}: exit code {process.returncode}")
    return {
        "first token, s": seconds,
        "of it the prompt, s": said["prompt_seconds"],
        "before it, s": seconds - said["prompt_seconds"],
        "resident, MiB": usage.ru_maxrss / 1024,
        "own, MiB": seen[0] / 1024,
    }, said["tokens"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("model")
    parser.add_argument("tokenizer")
    parser.add_argument("--opml", action="append")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    arguments = parser.parse_args()
    builds = arguments.opml or ["target/release/opml"]
    best, tokens = {build: {} for build in builds}, set()
    for _ in range(arguments.runs):
        for build in builds:
            figures, said = run(build, arguments.model, arguments.tokenizer, arguments.cold)
            tokens.add(tuple(said))
            for name, value in figures.items():
                best[build][name] = min(value, best[build].get(name, value))
    if len(tokens) != 1:
        raise SystemExit(f"the builds do not agree: {tokens}")
    names = list(next(iter(best.values())))
    print("| build | " + " | ".join(names) + " |")
    print("|---|" + "--:|" * len(names))
    for build, figures in best.items():
        shown = (f"{figures[name]:.2f}" if name.endswith(", s") else f"{figures[name]:.1f}" for name in names)
        print(f"| {build} | " + " | ".join(shown) + " |")


if __name__ == "__main__":
    main()
