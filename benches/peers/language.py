#!/usr/bin/env python3
"""Time a language model beside llama.cpp on the same file and tokens: python language.py [--threads 1 2] [--json FILE]

Builds nothing: `cargo build --release` first. Sets up llama.cpp by npm in peers/llama (prebuilt, with VNNI). Both read a prompt of
some hundred tokens and go on greedily; tries alternate, the least times count. A ratio above 1 means that `opml` is faster.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODEL = ROOT / "fixtures/data/real/models/smollm2-135m-q4_1.gguf"
OPML = ROOT / "target/release/opml"
PEER = HERE / "llama"
NEW, CONTEXT, CHARACTERS, TRIES = 64, 512, 1200, 3


def prompt_text():
    """Prose of the repository without its mark-up."""
    words = " ".join((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").replace("*", " ").split())
    return words[:CHARACTERS]


def ours(program, prompt, threads):
    command = [OPML, "generate", program, "--tokenizer", MODEL, "-p", prompt, "-n", str(NEW), "--json"]
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout)
    return found["prompt_tokens"], found["tokens"], found["prompt_seconds"] * 1000, found["seconds"] * 1000


def theirs(tokens, threads):
    command = ["node", PEER / "llama.mjs", MODEL, str(threads), str(NEW), str(CONTEXT)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, input=json.dumps(tokens).encode()).stdout)
    return found["tokens"], found["prompt_ms"], found["decode_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    # `npm ci` refuses a lock file without the binaries of other systems; `npm install` keeps to the versions in it.
    subprocess.run(["npm", "install", "--ignore-scripts", "--omit=optional", "--no-save", "--silent"], cwd=PEER, check=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "model.opml"
        subprocess.run([OPML, "import", MODEL, "-o", program, "--context", str(CONTEXT)], check=True, stdout=subprocess.DEVNULL)
        for threads in arguments.threads:
            best = {"prefill": [], "decode": []}
            for _ in range(TRIES):
                tokens, own, prompt_ms, decode_ms = ours(program, prompt_text(), threads)
                peer, peer_prompt_ms, peer_decode_ms = theirs(tokens, threads)
                # The first new token comes with the prompt.
                best["prefill"].append((len(tokens), prompt_ms, len(tokens), peer_prompt_ms))
                best["decode"].append((len(own) - 1, decode_ms, len(peer) - 1, peer_decode_ms))
            for what, tries in best.items():
                rate = max(1000 * count / ms for count, ms, _, _ in tries)
                peer_rate = max(1000 * count / ms for _, _, count, ms in tries)
                rows.append({"what": what, "threads": threads, "tokens": tries[0][0], "opml": rate, "llama.cpp": peer_rate, "ratio": rate / peer_rate})
    print("| | threads | tokens | opml, tokens/s | llama.cpp, tokens/s | ratio |\n|---|--:|--:|--:|--:|--:|")
    for row in rows:
        print(f"| {row['what']} | {row['threads']} | {row['tokens']} | {row['opml']:.1f} | {row['llama.cpp']:.1f} | {row['ratio']:.2f}× |")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
