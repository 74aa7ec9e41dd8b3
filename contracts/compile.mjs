// The compiler with this repository's settings: one contract at a time, from its source and what that imports.
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const HERE = dirname(fileURLToPath(import.meta.url));
export const SOURCES = join(HERE, 'solidity');
const MAX_CODE = 24_576; // EIP-170

const SETTINGS = {
  viaIR: true,
  optimizer: { enabled: true, runs: 20_000 },
  evmVersion: 'osaka',
  metadata: { bytecodeHash: 'none', appendCBOR: false }, // the same bytes from every machine
};

/** Input of the compiler for one file, which it reads with its imports and nothing else: it numbers all that it reads, and its optimizer's
 *  choices depend on the numbers, so the code of a contract would change with sources of which it has none. */
const input = (language, name, content, settings, selection) => ({
  language,
  sources: { [name]: { content } },
  settings: { ...SETTINGS, ...settings, outputSelection: selection },
});

/** A source of this repository or of a package; undefined if there is none. Imports: relative ones arrive as names inside solidity/, others as
 *  packages of node_modules. */
const read = (file) => {
  const path = [join(SOURCES, file), join(HERE, 'node_modules', file)].find(existsSync);
  return path === undefined ? undefined : readFileSync(path, 'utf8');
};

/** What the compiler says of one file. `instead` has sources by name that take the place of files. */
export const standard = (language, name, { instead = {}, settings = {}, selection }) => {
  const find = (file) => (file in instead ? instead[file] : read(file));
  const findImport = (file) => {
    const contents = find(file);
    return contents === undefined ? { error: `not found: ${file}` } : { contents };
  };
  return JSON.parse(solc.compile(JSON.stringify(input(language, name, find(name), settings, selection)), { import: findImport }));
};

/** Whether a complaint is about a source of this repository; warnings about packages are theirs to mend. */
const ours = (error) => !error.sourceLocation?.file.startsWith('@');

/** The artifact of contract `name`; undefined of what has no code. `instead` has sources by name that take the place of files. With `lenient`
 *  warnings and the limit of size are let pass. */
export const compile = (name, instead = {}, lenient = false) => {
  const source = `${name}.sol`;
  const output = standard('Solidity', source, {
    instead,
    selection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
  });
  const complaints = (output.errors ?? []).filter((error) => error.severity === 'error' || (!lenient && ours(error)));
  if (complaints.length > 0) throw new Error(complaints.map((complaint) => complaint.formattedMessage).join('\n'));
  const contract = output.contracts[source][basename(name)];
  if (contract === undefined || contract.evm.bytecode.object === '') return undefined;
  const size = contract.evm.deployedBytecode.object.length / 2;
  if (size > MAX_CODE && !lenient) throw new Error(`${name}: ${size} bytes of code, the limit is ${MAX_CODE}`);
  return {
    abi: contract.abi,
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
  };
};
