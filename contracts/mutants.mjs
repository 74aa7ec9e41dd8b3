// Mutates the contracts one operator at a time, compiles each mutant and runs the in-memory tests against it; prints the mutants that no
// test kills, and exits with 1 if there are any that ALLOWED below does not argue for.
//
//   cargo test -p opml-contracts --no-run        once; the tests' program is found in target/
//   node mutants.mjs                             all mutants of Dispute, BatchDispute and Attention
//   node mutants.mjs Dispute                     one contract's
//     --list            print the mutants with their numbers, try none
//     --only 12,40      these numbers
//     --from 60         from this number on
//     --tests PATH      the tests' program
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SOURCES, compile } from './compile.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));

/** The sources of each contract that are mutated: those of the protocol, not the interfaces and libraries that others share. */
const CONTRACTS = {
  Dispute: ['Singles', 'Claims', 'Board', 'Moves', 'Proofs', 'State', 'ClaimWord', 'Tiers', 'Registry', 'Partials', 'Tensor', 'Tree', 'Bank'].map(
    (name) => `game/${name}.sol`,
  ),
  BatchDispute: ['game/Batches.sol'],
  Attention: ['Attention.sol', 'attention/Committee.sol'],
};

/** Tests that tell a mutant from the contract: gas snapshots would kill every mutant, and say nothing. */
const SUITES = {
  Dispute: ['registry', 'clocks', 'money', 'moves', 'rules', 'faults'].map((name) => `dispute::${name}`).concat('lab::adversaries', 'lab::games'),
  BatchDispute: ['dispute::batch', 'lab::adversaries', 'lab::games'],
  Attention: ['attention::'],
};
/** The suite that is likeliest to kill a mutant of a source comes first. */
const FIRST = {
  'game/ClaimWord.sol': 'dispute::clocks',
  'game/State.sol': 'dispute::clocks',
  'game/Board.sol': 'dispute::faults',
  'game/Moves.sol': 'dispute::moves',
  'game/Proofs.sol': 'dispute::moves',
  'game/Partials.sol': 'dispute::rules',
};
const SKIP = ['gas', 'costs', 'property', 'code_fits'];

/** What takes an operator's place. */
const SWAPS = [
  [/ (<=) /, '<'],
  [/ (<) /, '<='],
  [/ (>=) /, '>'],
  [/ (>) /, '>='],
  [/ (==) /, '!='],
  [/ (!=) /, '=='],
  [/ (&&) /, '||'],
  [/ (\|\|) /, '&&'],
];

/** Survivors that change nothing that can be seen, with the reason: [source, text of the line, operator]. */
const ALLOWED = [
  ['game/Board.sol', 'return a > b ? a : b;', '>', 'equal numbers are the same maximum'],
  ['game/State.sol', 'left = left > charge ? left - charge : 0;', '>', 'at equality both give 0'],
  ['game/State.sol', 'return block.timestamp > free ? block.timestamp - free : 0;', '>', 'at equality both give 0'],
  ['game/Partials.sol', 'return n < 1 << arityLog2 ? n : 1 << arityLog2;', '<', 'at equality both give the same number'],
  ['game/Tree.sol', 'levels = arityLog2 < height ? arityLog2 : height;', '<', 'at equality both give the same number'],
  ['game/Tree.sol', 'if (count > 1 << levels) count = 1 << levels;', '>', 'at equality it sets what is there'],
  ['game/Tensor.sol', 'if (used >= LEAF) return true;', '>=', 'at equality the loop below looks at no byte'],
  ['game/Batches.sol', 'return value > bond ? value : bond;', '>', 'at equality both give the same number'],
];

const args = process.argv.slice(2);
const option = (name) => {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args.splice(at, 2)[1];
};
const flag = (name) => {
  const at = args.indexOf(name);
  return at >= 0 && args.splice(at, 1).length > 0;
};
const only = option('--only')?.split(',').map(Number);
const from = Number(option('--from') ?? 0);
const tests = option('--tests');
const listing = flag('--list');
const names = args.length > 0 ? args : Object.keys(CONTRACTS);

/** The newest program of the tests. */
const program = () => {
  if (tests !== undefined) return tests;
  const folder = join(HERE, '..', 'target', 'debug', 'deps');
  const found = readdirSync(folder)
    .filter((name) => /^it-[0-9a-f]+$/.test(name))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
    .find((path) => spawnSync(path, ['--list'], { encoding: 'utf8' }).stdout?.includes('lab::games'));
  if (found === undefined) throw new Error('no tests: cargo test -p opml-contracts --no-run');
  return found;
};

/** Where code stands on a line: comments and imports are left alone. */
const codeOf = (line) => (/^\s*(\/\/|\*|import|error|event)/.test(line) ? '' : line.replace(/\/\/.*$/, ''));

/** All mutants of a source: the line's number, what it was, what it becomes. */
const mutantsOf = (source) => {
  const lines = readFileSync(join(SOURCES, source), 'utf8').split('\n');
  return lines.flatMap((line, number) =>
    SWAPS.flatMap(([pattern, swap]) => {
      const found = [];
      const every = new RegExp(pattern.source, 'g');
      const code = codeOf(line);
      for (let hit = every.exec(code); hit !== null; hit = every.exec(code)) {
        const at = hit.index + 1;
        const changed = line.slice(0, at) + swap + line.slice(at + hit[1].length);
        const text = lines.map((other, n) => (n === number ? changed : other)).join('\n');
        found.push({ source, number: number + 1, line: line.trim(), operator: hit[1], swap, text });
      }
      return found;
    }),
  );
};

const allowed = ({ source, line, operator }) =>
  ALLOWED.find(([file, text, sign]) => file === source && line.includes(text) && sign === operator)?.[3];

/** Whether a test of this suite fails; the first failure ends it, and a mutant that never ends is dead too. */
const fails = (binary, suite, env) =>
  new Promise((resolve) => {
    const skips = SKIP.flatMap((name) => ['--skip', name]);
    const child = spawn(binary, [suite, ...skips], { cwd: HERE, env, stdio: ['ignore', 'pipe', 'ignore'] });
    const stop = () => child.kill('SIGKILL');
    const timer = setTimeout(stop, 300_000);
    child.stdout.on('data', (text) => text.includes('FAILED') && stop());
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(code !== 0);
    });
  });

/** Runs the tests of a contract against a mutant's code; whether one failed. */
const killed = async (binary, contract, source, artifact) => {
  const folder = mkdtempSync(join(tmpdir(), 'mutant-'));
  writeFileSync(join(folder, `${contract}.json`), JSON.stringify(artifact, null, 1));
  const env = { ...process.env, OPML_ARTIFACTS: folder, LAB_GAMES: '16', PROPTEST_CASES: '8' };
  let dead = false;
  const first = FIRST[source] === undefined ? [] : [FIRST[source]];
  for (const suite of new Set([...first, ...SUITES[contract]])) {
    dead = dead || (await fails(binary, suite, env));
  }
  rmSync(folder, { recursive: true });
  return dead;
};

/** A mutant's artifact, undefined if the compiler refuses it. */
const compiled = (contract, mutant) => {
  try {
    return compile(contract, { [mutant.source]: mutant.text }, true);
  } catch {
    return undefined;
  }
};

const binary = listing ? undefined : program();
const tally = { killed: 0, same: 0, argued: 0, survived: [] };
for (const contract of names) {
  const mutants = CONTRACTS[contract].flatMap(mutantsOf);
  const original = JSON.parse(readFileSync(join(HERE, 'artifacts', `${contract}.json`), 'utf8'));
  for (const [number, mutant] of mutants.entries()) {
    if (number < from || (only !== undefined && !only.includes(number))) continue;
    const label = `${contract} ${number}/${mutants.length} ${mutant.source}:${mutant.number} ${mutant.operator} → ${mutant.swap}`;
    if (listing) {
      console.log(`${label}   ${mutant.line}`);
      continue;
    }
    const artifact = compiled(contract, mutant);
    const reason = allowed(mutant);
    if (artifact === undefined) {
      console.log(`${label}: does not compile`);
    } else if (artifact.bytecode === original.bytecode) {
      tally.same += 1;
      console.log(`${label}: the same code`);
    } else if (await killed(binary, contract, mutant.source, artifact)) {
      tally.killed += 1;
      console.log(`${label}: killed`);
    } else if (reason !== undefined) {
      tally.argued += 1;
      console.log(`${label}: survives, ${reason}`);
    } else {
      tally.survived.push(`${label}   ${mutant.line}`);
      console.log(`${label}: SURVIVES   ${mutant.line}`);
    }
  }
}
if (!listing) {
  console.log(`${tally.killed} killed, ${tally.same} compile to the same code, ${tally.argued} survive for the reason given`);
  tally.survived.forEach((text) => console.log(`survivor: ${text}`));
  process.exit(tally.survived.length > 0 ? 1 : 0);
}
