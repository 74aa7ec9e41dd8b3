// Compiles solidity/**/*.sol into artifacts/<Name>.json, one for each deployable contract: those that stand directly in solidity/, or in
// solidity/test/, in a file of their own name. Interfaces, libraries and abstract contracts have no code to deploy and get none.
//
//   node build.mjs            rewrite the artifacts
//   node build.mjs --check    compare with the committed ones instead; exit code 1 if they differ
//   node build.mjs Name ...   only these contracts
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SOURCES, compile } from './compile.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const ARTIFACTS = join(HERE, 'artifacts');
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

const built = new Map();
for (const source of names) {
  try {
    const artifact = compile(source.replace(/\.sol$/, ''));
    if (artifact === undefined) continue;
    built.set(source.replace(/sol$/, 'json'), `${JSON.stringify(artifact, null, 1)}\n`);
    console.error(`${basename(source, '.sol')}: ${artifact.deployedBytecode.length / 2 - 1} bytes`);
  } catch (error) {
    fail(error.message);
  }
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
