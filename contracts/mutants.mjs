// Mutates the contracts one operator at a time and runs the in-memory tests against each mutant; prints the mutants that no test kills, and
// exits with 1 if there are any that ALLOWED below does not argue for.
//
//   cargo test -p opml-contracts --no-run        once; the tests' program is found in target/
//   node mutants.mjs                             all mutants of Dispute, BatchDispute and Attention
//   node mutants.mjs Dispute                     one contract's
//     --list            print the mutants with their numbers, try none
//     --only 12,40      these numbers
//     --from 60         from this number on
//     --tests PATH      the tests' program
//     --results PATH    what is known, to go on from; target/mutants.json if not given
//     --again           try also those whose fate is known
//
// One run of the compiler makes all mutants of a contract (schemata.mjs). Of those that survive, and of those that its code does not have,
// the mutated source is compiled with the repository's settings: the same code is no mutant, and other code has to pass all tests again to
// count as a survivor.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SOURCES, compile } from './compile.mjs';
import { schemata } from './schemata.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const TARGET = join(HERE, '..', 'target');

/** The sources of each contract that are mutated: those of the protocol, not the interfaces and libraries that others share. */
const CONTRACTS = {
  Dispute: ['Singles', 'Claims', 'Board', 'Moves', 'Proofs', 'State', 'ClaimWord', 'Tiers', 'Registry', 'Partials', 'Tensor', 'Tree', 'Bank'].map(
    (name) => `game/${name}.sol`,
  ),
  BatchDispute: ['game/Batches.sol'],
  Attention: ['Attention.sol', 'attention/Committee.sol'],
};

/** Tests that tell a mutant from the contract, those first that take least: gas snapshots would kill every mutant, and say nothing. */
const SUITES = {
  Dispute: ['registry', 'clocks', 'moves', 'rules', 'faults', 'money'].map((name) => `dispute::${name}`).concat('lab::adversaries', 'lab::games'),
  BatchDispute: ['dispute::batch', 'lab::adversaries', 'lab::games'],
  Attention: ['attention::'],
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
  ['Attention.sol', 'for (uint256 i = 0; i < seats.length; ++i) {', '<', 'a seat past the last has no bit, so nothing of it is looked at'],
  ['game/Registry.sol', 'for (uint256 j = 0; j < nInputs; ++j) {', '<', 'past the last header the slice is empty: it reads as 0, which is refused by nothing'],
  ['game/Registry.sol', 'nInputs > type(uint32).max', '>', 'no calldata holds so many headers'],
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
const file = option('--results') ?? join(TARGET, 'mutants.json');
const listing = flag('--list');
const again = flag('--again');
const names = args.length > 0 ? args : Object.keys(CONTRACTS);

/** The newest program of the tests. */
const program = () => {
  if (tests !== undefined) return tests;
  const folder = join(TARGET, 'debug', 'deps');
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

/** All mutants of a source: the line's number, what it was, what it becomes, and the byte at which the operator stands. */
const mutantsOf = (source) => {
  const lines = readFileSync(join(SOURCES, source), 'utf8').split('\n');
  let before = 0;
  return lines.flatMap((line, number) => {
    const start = before;
    before += Buffer.byteLength(line) + 1;
    return SWAPS.flatMap(([pattern, swap]) => {
      const found = [];
      const every = new RegExp(pattern.source, 'g');
      const code = codeOf(line);
      for (let hit = every.exec(code); hit !== null; hit = every.exec(code)) {
        const at = hit.index + 1;
        const changed = line.slice(0, at) + swap + line.slice(at + hit[1].length);
        const text = lines.map((other, n) => (n === number ? changed : other)).join('\n');
        const byte = start + Buffer.byteLength(line.slice(0, at));
        found.push({ source, number: number + 1, at, byte, line: line.trim(), operator: hit[1], swap, text });
      }
      return found;
    });
  });
};

const allowed = ({ source, line, operator }) =>
  ALLOWED.find(([file, text, sign]) => file === source && line.includes(text) && sign === operator)?.[3];

/** The test that fails among those that `filters` name, undefined if none does; the first failure ends the run, and a run that never ends
 *  is a failure too. */
const failure = (binary, filters, env) =>
  new Promise((resolve) => {
    const skips = SKIP.flatMap((name) => ['--skip', name]);
    const child = spawn(binary, [...filters, ...skips], { cwd: HERE, env, stdio: ['ignore', 'pipe', 'ignore'] });
    const stop = () => child.kill('SIGKILL');
    const timer = setTimeout(stop, 600_000);
    let said = '';
    child.stdout.on('data', (text) => {
      said += text;
      if (/ FAILED/.test(said)) stop();
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      const failed = /^test (\S+) .*FAILED/m.exec(said)?.[1];
      resolve(failed ?? (code === 0 ? undefined : `${filters[0]} does not end`));
    });
  });

/** Tests that killed the mutants before, the latest first: the next mutant of a source often dies by the same. */
const latest = [];

/** The test that kills this code, undefined if none does. */
const killer = async (binary, contract, bytecode) => {
  const folder = mkdtempSync(join(tmpdir(), 'mutant-'));
  writeFileSync(join(folder, `${contract}.json`), JSON.stringify({ bytecode }, null, 1));
  const env = { ...process.env, OPML_ARTIFACTS: folder, LAB_GAMES: '16', PROPTEST_CASES: '8' };
  let by;
  for (const filters of [latest.slice(0, 6), ...SUITES[contract].map((suite) => [suite])]) {
    if (filters.length > 0) by ??= await failure(binary, filters, env);
  }
  rmSync(folder, { recursive: true });
  if (by !== undefined && !by.includes(' ')) latest.splice(0, latest.length, by, ...latest.filter((name) => name !== by));
  return by;
};

/** A mutant's code by the repository's settings, undefined if the compiler refuses it. */
const compiled = (contract, mutant) => {
  try {
    return compile(contract, { [mutant.source]: mutant.text }, true).bytecode;
  } catch {
    return undefined;
  }
};

/** What becomes of a mutant: [outcome, test or reason]. */
const fate = async (binary, contract, all, mutant, original) => {
  const number = all.numberOf(mutant.source, mutant.byte);
  const by = number === undefined ? undefined : await killer(binary, contract, all.code(number));
  if (by !== undefined) return ['killed', by];
  const bytecode = compiled(contract, mutant);
  if (bytecode === undefined) return ['refused', 'by the compiler'];
  if (bytecode === original) return ['same', 'the same code'];
  const late = await killer(binary, contract, bytecode);
  return late === undefined ? ['survives', ''] : ['killed', late];
};

const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
const binary = listing ? undefined : program();
const tally = { killed: 0, same: 0, refused: 0, argued: 0, survived: [] };
for (const contract of names) {
  const sources = CONTRACTS[contract];
  const mutants = sources.flatMap(mutantsOf);
  const original = JSON.parse(readFileSync(join(HERE, 'artifacts', `${contract}.json`), 'utf8')).bytecode;
  let all;
  for (const [index, mutant] of mutants.entries()) {
    if (index < from || (only !== undefined && !only.includes(index))) continue;
    const label = `${contract} ${index}/${mutants.length} ${mutant.source}:${mutant.number} ${mutant.operator} → ${mutant.swap}`;
    if (listing) {
      console.log(`${label}   ${mutant.line}`);
      continue;
    }
    const key = `${contract} ${mutant.source}:${mutant.number}:${mutant.at} ${mutant.operator} ${mutant.line}`;
    const reason = allowed(mutant);
    const settled = ['killed', 'same', 'refused'].includes(known[key]?.[0]) || (known[key]?.[0] === 'survives' && reason !== undefined);
    if (again || !settled) {
      if (all === undefined) {
        all = schemata(contract, sources);
        const wrong = await killer(binary, contract, all.code(0));
        if (wrong !== undefined) throw new Error(`${contract} itself fails ${wrong}`);
      }
      const began = Date.now();
      known[key] = [...(await fate(binary, contract, all, mutant, original)), Math.round((Date.now() - began) / 100) / 10];
      writeFileSync(file, `${JSON.stringify(known, null, 1)}\n`);
    }
    const [outcome, detail, seconds] = known[key];
    if (outcome !== 'survives') {
      tally[outcome] += 1;
      console.log(`${label}: ${outcome}, ${detail} (${seconds} s)`);
    } else if (reason !== undefined) {
      tally.argued += 1;
      console.log(`${label}: survives, ${reason}`);
    } else {
      tally.survived.push(`${label}   ${mutant.line}`);
      console.log(`${label}: SURVIVES (${seconds} s)   ${mutant.line}`);
    }
  }
}
if (!listing) {
  const { killed, same, refused, argued, survived } = tally;
  console.log(`${killed} killed, ${same} compile to the same code, ${refused} do not compile, ${argued} survive for the reason given, ${survived.length} survive`);
  survived.forEach((text) => console.log(`survivor: ${text}`));
  process.exit(survived.length > 0 ? 1 : 0);
}
