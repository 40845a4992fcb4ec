// The column table and the metric catalogue, read from the C++ headers so that the mock cannot drift from them.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export function readColumns() {
  const schema = readFileSync(join(root, 'web', 'src', 'gen', 'schema.ts'), 'utf8');
  return [...schema.matchAll(/^ {2}(\{"name".*\}),$/gm)].map((m) => JSON.parse(m[1]));
}

export function readCounters() {
  const text = readFileSync(join(root, 'src', 'base', 'metrics.h'), 'utf8').replace(/\\\n/g, '\n');
  return [...text.matchAll(/X\(\w+, "([^"]+)", k(\w+), k(\w+),\s*"([^"]+)"\)/g)].map(([, name, kind, severity, help], i) => ({
    name, kind: kind.toLowerCase(), severity: severity.toLowerCase(), help,
    value: severity === 'Info' ? (i + 1) * 12_345 : name === 'weir_agent_kernel_ring_full_total' ? 14 : name.includes('late') ? 3 : 0,
  }));
}
