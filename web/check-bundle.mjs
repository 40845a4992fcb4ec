// Fails when the built UI outgrows its budget: 150 KB of gzip for everything a first visit loads.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const kBudgetBytes = 150 * 1024;
const dist = join(dirname(fileURLToPath(import.meta.url)), 'dist');

function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)]);
}

let total = 0;
for (const file of files(dist)) {
  const bytes = gzipSync(readFileSync(file), { level: 9 }).length;
  total += bytes;
  console.log(`${String(bytes).padStart(8)}  ${file.slice(dist.length + 1)}`);
}
console.log(`${String(total).padStart(8)}  total gzip bytes of ${kBudgetBytes}`);
if (total > kBudgetBytes) {
  console.error('the bundle is over its budget: find the new weight with `npx vite build --sourcemap`');
  process.exit(1);
}
