#!/usr/bin/env python3
"""Time a language model beside llama.cpp on the same file and tokens: python language.py [--threads 1 2] [--json FILE]

Builds nothing: `cargo build --release -p opml-prover -p opml-benches` first. Sets up llama.cpp by npm in peers/llama (prebuilt, with
VNNI). Both read a prompt of some hundred tokens and go on greedily, three times in a process, which has the model open; processes alternate.
The least times count: of all tries, and beside it of the first in each process, to which memory is new. A ratio above 1 means that
opml is faster.
"""

import argparse
import itertools
import json
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODEL = ROOT / "fixtures/data/real/models/smollm2-135m-q4_1.gguf"
OPML = ROOT / "target/release/opml"
GENERATION = ROOT / "target/release/generation"
PEER = HERE / "llama"
NEW, CONTEXT, CHARACTERS, TRIES = 64, 512, 1200, 3


def prompt_text():
    """Prose of the repository without its mark-up."""
    words = " ".join((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").replace("*", " ").split())
    return words[:CHARACTERS]


def prompt_ids(program):
    command = [OPML, "generate", program, "--tokenizer", MODEL, "-p", prompt_text(), "-n", "1", "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["prompt_tokens"]


def timed(command, prompt):
    """The tokens that a process generates, and the milliseconds of each of its tries."""
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, input=json.dumps(prompt).encode()).stdout)


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
        prompt = prompt_ids(program)
        for threads in arguments.threads:
            own = [GENERATION, program, str(threads), str(NEW)]
            peer = ["node", PEER / "llama.mjs", MODEL, str(threads), str(NEW), str(CONTEXT)]
            tries = [(timed(own, prompt), timed(peer, prompt)) for _ in range(TRIES)]
            # The first new token comes with the prompt.
            counts = {"prompt": lambda _: len(prompt), "decode": lambda found: len(found["tokens"]) - 1}
            for (what, count), which in itertools.product(counts.items(), ["", ", first"]):
                of = lambda found: found[f"{what}_ms"][:1] if which else found[f"{what}_ms"]
                rates = [max(1000 * count(one[side]) / min(of(one[side])) for one in tries) for side in range(2)]
                rows.append({"what": what + which, "threads": threads, "opml": rates[0], "llama.cpp": rates[1], "ratio": rates[0] / rates[1]})
    print("| | threads | opml, tokens/s | llama.cpp, tokens/s | ratio |\n|---|--:|--:|--:|--:|")
    for row in rows:
        print(f"| {row['what']} | {row['threads']} | {row['opml']:.1f} | {row['llama.cpp']:.1f} | {row['ratio']:.2f}× |")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
