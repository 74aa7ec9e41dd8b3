// Times llama.cpp on a GGUF file: node llama.mjs MODEL.gguf THREADS NEW_TOKENS CONTEXT, the prompt's token ids on standard input as JSON.
import { readFileSync } from "node:fs";
import { getLlama } from "node-llama-cpp";

const [model, threads, wanted, contextSize] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const prompt = JSON.parse(readFileSync(0, "utf8"));
const llama = await getLlama({ build: "never", gpu: false, maxThreads: threads, logLevel: "error" });
const loaded = await llama.loadModel({ modelPath: model, gpuLayers: 0 });

// A context of its own for each try: nothing is left of the one before.
async function once() {
  const context = await loaded.createContext({ contextSize, threads, batchSize: contextSize });
  const tokens = [];
  let first = 0;
  const start = performance.now();
  for await (const token of context.getSequence().evaluate(prompt, { temperature: 0 })) {
    if (tokens.length === 0) first = performance.now();
    tokens.push(token);
    if (tokens.length === wanted) break;
  }
  const end = performance.now();
  await context.dispose();
  return { tokens, prompt_ms: first - start, decode_ms: end - first };
}

const tries = [await once(), await once(), await once()];
const each = (key) => tries.map((one) => one[key]);
console.log(JSON.stringify({ tokens: tries[0].tokens, prompt_ms: each("prompt_ms"), decode_ms: each("decode_ms") }));
process.exit(0);
