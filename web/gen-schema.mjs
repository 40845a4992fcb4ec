// Writes src/gen/schema.ts from THE column table (src/model/columns.h), so the UI knows every column's type, kind,
// unit and help even before the server has answered. `node gen-schema.mjs --check` fails when the file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const header = join(here, '..', 'src', 'model', 'columns.h');
const target = join(here, 'src', 'gen', 'schema.ts');

const string = '"((?:[^"\\\\]|\\\\.)*)"';
// Adjacent literals are one, as in C++.
const strings = '((?:"(?:[^"\\\\]|\\\\.)*"\\s*)+)';

function joined(literals) {
  return [...literals.matchAll(new RegExp(string, 'g'))].map((m) => m[1]).join('');
}

function macroBody(text, name) {
  const start = text.indexOf(`#define ${name}(X)`);
  if (start < 0) throw new Error(`${header}: no macro ${name}; was it renamed?`);
  const lines = text.slice(start).split('\n');
  const end = lines.findIndex((line) => !line.trimEnd().endsWith('\\'));
  return lines.slice(1, end + 1).map((line) => line.replace(/\\\s*$/, '')).join('\n');
}

function parseStored(body) {
  const entry = new RegExp(`X\\((\\w+), ([\\w:]+), k(\\w+), k(\\w+), ${string},\\s*${strings}\\)`, 'g');
  return [...body.matchAll(entry)].map((m) => ({
    name: m[1], type: m[3].toLowerCase(), kind: m[4].toLowerCase(), unit: m[5], help: joined(m[6]),
  }));
}

function parseDerived(body) {
  const entry = new RegExp(`X\\((\\w+), k(\\w+), ${string},\\s*${strings}\\)`, 'g');
  return [...body.matchAll(entry)].map((m) => ({
    name: m[1], type: m[2].toLowerCase(), kind: 'derived', unit: m[3], help: joined(m[4]),
  }));
}

export function generate() {
  const text = readFileSync(header, 'utf8');
  const bodies = [macroBody(text, 'WEIR_STORED_COLUMNS'), macroBody(text, 'WEIR_DERIVED_COLUMNS')];
  const columns = [...parseStored(bodies[0]), ...parseDerived(bodies[1])];
  const expected = bodies.join('\n').match(/\bX\(/g).length;
  if (columns.length !== expected) {
    throw new Error(`${header}: ${expected} entries, only ${columns.length} understood; teach gen-schema.mjs the new form`);
  }
  const lines = columns.map((c) => `  ${JSON.stringify(c)},`);
  return [
    '// Generated from src/model/columns.h by web/gen-schema.mjs (npm run gen). Do not edit.',
    '',
    "export type ColumnType = 'time' | 'address' | 'string' | 'uint' | 'float' | 'histogram';",
    "export type ColumnKind = 'time' | 'dimension' | 'sum' | 'min' | 'max' | 'histogram' | 'derived';",
    '',
    'export interface ColumnSchema {',
    '  name: string;',
    '  type: ColumnType;',
    '  kind: ColumnKind;',
    '  unit: string;',
    '  help: string;',
    '}',
    '',
    'export const kColumns: readonly ColumnSchema[] = [',
    ...lines,
    '];',
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wanted = generate();
  if (process.argv.includes('--check')) {
    if (readFileSync(target, 'utf8') !== wanted) {
      console.error('src/gen/schema.ts is stale: run `npm run gen` in web/ and commit the result');
      process.exit(1);
    }
  } else {
    writeFileSync(target, wanted);
  }
}
