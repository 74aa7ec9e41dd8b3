// Compiles solidity/**/*.sol into artifacts/<Name>.json, one for each deployable contract: those that stand directly in solidity/, or in
// solidity/test/, in a file of their own name. Interfaces, libraries and abstract contracts have no code to deploy and get none.
//
//   node build.mjs            rewrite the artifacts
//   node build.mjs --check    compare with the committed ones instead; exit code 1 if they differ
//   node build.mjs Name ...   only these contracts
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCES = join(HERE, 'solidity');
const ARTIFACTS = join(HERE, 'artifacts');
const MAX_CODE = 24_576; // EIP-170
const MEND = '(cd contracts && npm ci && node build.mjs)';

const args = process.argv.slice(2);
const check = args.includes('--check');
const only = args.filter((arg) => !arg.startsWith('--'));

const fail = (message) => {
  console.error(message);
  process.exit(1);
};

/** Files of this extension under `root`/`folder`, relative to `root`, with forward slashes. */
const list = (root, extension, folder = '') =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? list(root, extension, name) : name.endsWith(extension) ? [name] : [];
    });

const deployable = (source) => /^(test\/)?\w+\.sol$/.test(source);
const names = only.length > 0 ? only.map((name) => `${name}.sol`) : list(SOURCES, '.sol').filter(deployable);

/** Input of the compiler for one file, which it reads with its imports and nothing else: it numbers all that it reads, and its optimizer's
 *  choices depend on the numbers, so the code of a contract would change with sources of which it has none. */
const input = (name) => ({
  language: 'Solidity',
  sources: { [name]: { content: readFileSync(join(SOURCES, name), 'utf8') } },
  settings: {
    viaIR: true,
    optimizer: { enabled: true, runs: 20_000 },
    evmVersion: 'osaka',
    metadata: { bytecodeHash: 'none', appendCBOR: false }, // the same bytes from every machine
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
  },
});

/** Imports: relative ones arrive as names inside solidity/, others as packages of node_modules. */
const findImport = (name) => {
  const path = [join(SOURCES, name), join(HERE, 'node_modules', name)].find(existsSync);
  return path === undefined ? { error: `not found: ${name}` } : { contents: readFileSync(path, 'utf8') };
};

/** Whether a complaint is about a source of this repository; warnings about packages are theirs to mend. */
const ours = (error) => !error.sourceLocation?.file.startsWith('@');

const built = new Map();
for (const source of names) {
  const output = JSON.parse(solc.compile(JSON.stringify(input(source)), { import: findImport }));
  const complaints = (output.errors ?? []).filter((error) => error.severity === 'error' || ours(error));
  if (complaints.length > 0) fail(complaints.map((complaint) => complaint.formattedMessage).join('\n'));
  const name = basename(source, '.sol');
  const contract = output.contracts[source][name];
  if (contract === undefined || contract.evm.bytecode.object === '') continue;
  const size = contract.evm.deployedBytecode.object.length / 2;
  if (size > MAX_CODE) fail(`${name}: ${size} bytes of code, the limit is ${MAX_CODE}`);
  const artifact = {
    abi: contract.abi,
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
  };
  built.set(source.replace(/sol$/, 'json'), `${JSON.stringify(artifact, null, 1)}\n`);
  console.error(`${name}: ${size} bytes`);
}

const old = existsSync(ARTIFACTS) ? list(ARTIFACTS, '.json') : [];
const orphans = only.length > 0 ? [] : old.filter((file) => !built.has(file));
if (check) {
  const committed = (file) => (old.includes(file) ? readFileSync(join(ARTIFACTS, file), 'utf8') : undefined);
  const stale = [...built.keys()].filter((file) => built.get(file) !== committed(file)).concat(orphans);
  if (stale.length > 0) fail(`stale artifacts: ${stale.join(', ')}; mend with: ${MEND}`);
} else {
  mkdirSync(join(ARTIFACTS, 'test'), { recursive: true });
  built.forEach((text, file) => writeFileSync(join(ARTIFACTS, file), text));
  orphans.forEach((file) => rmSync(join(ARTIFACTS, file)));
}
