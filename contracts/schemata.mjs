// All mutants of a contract in one program: each operator's mutation is guarded by the comparison of a number in the code with the
// mutant's own, so one run of the compiler serves them all, and a mutant is made by writing its number into the bytecode. Where a mutation
// is not chosen, the program does what the contract does.
//
// The guards stand in the compiler's intermediate code, in which the result of the operator with the syntax tree's number N is `expr_N`:
//   <, <=, >, >=   `expr_N := xor(what it was, and(chosen, eq(left, right)))`: a strict and a loose comparison differ at equality alone
//   ==, !=         `expr_N := xor(what it was, chosen)`
//   &&, ||         `if expr_N { expr_N := right }` evaluates the right side if the left is true, `if iszero(expr_N)` if it is false: the
//                  guard turns the condition
import { standard } from './compile.mjs';

const MAX_CODE = 24_576; // EIP-170
/** Stands where a mutant's number is written: nothing else in a contract's code has these bytes. */
const PLACE = '9e5bd2c7';
const PUSH4 = '63';
/** The function that gives the number of the mutation to make; the optimizer does not see what it returns. */
const CHOICE = `function chosen_mutation() -> chosen { chosen := verbatim_0i_1o(hex"${PUSH4}${PLACE}") }`;
/** Short code: gas does not matter to the tests, the limit of size does. */
const SHORT = { optimizer: { enabled: true, runs: 1 } };

const COMPARES = /^(<=?|>=?)$/;
const EQUALS = /^[=!]=$/;
const JOINS = /^(&&|\|\|)$/;

const fatal = (output) => {
  const errors = (output.errors ?? []).filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(errors.map(({ formattedMessage }) => formattedMessage).join('\n'));
  return output;
};

/** All nodes of a syntax tree that are operations on two sides. */
const operations = (node) => {
  if (node === null || typeof node !== 'object') return [];
  const inside = Object.values(node).flatMap(operations);
  return node.nodeType === 'BinaryOperation' ? [node, ...inside] : inside;
};

/** First and last byte of a node in its source. */
const span = ({ src }) => {
  const [start, length] = src.split(':').map(Number);
  return { start, end: start + length };
};

/** The two arguments of `name(a, b)`. */
const sides = (call) => {
  const open = call.indexOf('(') + 1;
  let depth = 0;
  for (let at = open; at < call.length; at += 1) {
    if (call[at] === ',' && depth === 0) return [call.slice(open, at), call.slice(at + 1, -1)];
    depth += { '(': 1, ')': -1 }[call[at]] ?? 0;
  }
  throw new Error(`not of two arguments: ${call}`);
};

/** Guards one operator wherever the code has it; how often that was. */
const guard = (lines, { id, operator }, number) => {
  const made = `let expr_${id} := `;
  const chosen = `eq(chosen_mutation(), ${number})`;
  const refuse = (line) => {
    throw new Error(`not the code of ${operator}: ${line}`);
  };
  let count = 0;
  lines.forEach((line, at) => {
    if (!line.trimStart().startsWith(made)) return;
    count += 1;
    const [indent, value] = line.split(made);
    if (COMPARES.test(operator)) {
      const call = /^(?:iszero\((.*)\)|(.*))$/.exec(value).slice(1).find((text) => text !== undefined);
      if (!/^s?[lg]t\(/.test(call)) refuse(line);
      const [left, right] = sides(call);
      lines[at] = `${indent}${made}xor(${value}, and(${chosen}, eq(${left}, ${right})))`;
    } else if (EQUALS.test(operator)) {
      if (!/^(iszero\()?eq\(/.test(value)) refuse(line);
      lines[at] = `${indent}${made}xor(${value}, ${chosen})`;
    } else {
      const condition = operator === '&&' ? `expr_${id}` : `iszero(expr_${id})`;
      if (lines[at + 1].trim() !== `if ${condition} {`) refuse(lines[at + 1]);
      const truth = operator === '&&' ? `iszero(iszero(expr_${id}))` : condition;
      lines[at + 1] = lines[at + 1].replace(condition, `xor(${truth}, ${chosen})`);
    }
  });
  return count;
};

/** A program with all mutants of a contract that are in the sources `mutated`. `code(number)` is the creation code of a mutant, of the contract itself for 0;
 *  `numberOf(source, byte)` the number of the operator at this byte of a source, undefined if the contract's code does not have it. */
export const schemata = (contract, mutated) => {
  const file = `${contract}.sol`;
  const { sources, contracts } = fatal(
    standard('Solidity', file, { settings: { optimizer: { enabled: false } }, selection: { '*': { '': ['ast'] }, [file]: { [contract]: ['ir'] } } }),
  );
  const lines = contracts[file][contract].ir.split('\n');
  const found = mutated.flatMap((source) =>
    operations(sources[source].ast)
      .filter(({ operator }) => [COMPARES, EQUALS, JOINS].some((kind) => kind.test(operator)))
      .map((node) => ({ source, id: node.id, operator: node.operator, from: span(node.leftExpression).end, to: span(node.rightExpression).start })),
  );
  const present = found.filter((node, index) => guard(lines, node, index + 1) > 0).map((node) => ({ ...node, number: found.indexOf(node) + 1 }));
  const yul = lines.join('\n').replaceAll(/^(\s*)code \{$/gm, (line) => `${line} ${CHOICE}`);
  const output = fatal(
    standard('Yul', 'mutants.yul', {
      instead: { 'mutants.yul': yul },
      settings: SHORT,
      selection: { '*': { '*': ['evm.bytecode.object', 'evm.deployedBytecode.object'] } },
    }),
  );
  const { bytecode, deployedBytecode } = Object.values(output.contracts['mutants.yul'])[0].evm;
  const size = deployedBytecode.object.length / 2;
  if (deployedBytecode.object !== '' && size > MAX_CODE) throw new Error(`${contract} with its mutants has ${size} bytes`);
  return {
    numberOf: (source, byte) => present.find((node) => node.source === source && node.from <= byte && byte < node.to)?.number,
    code: (number) => `0x${bytecode.object.replaceAll(PLACE, number.toString(16).padStart(8, '0'))}`,
    size,
  };
};
