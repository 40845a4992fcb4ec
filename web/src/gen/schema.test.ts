import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { kColumns } from './schema';

test('schema.ts is what gen-schema.mjs makes of src/model/columns.h now', () => {
  // Exits with 1 and says what to do when it is stale.
  execFileSync(process.execPath, ['gen-schema.mjs', '--check'], { stdio: 'pipe' });
});

test('columns are unique and complete', () => {
  expect(new Set(kColumns.map((c) => c.name)).size).toBe(kColumns.length);
  for (const column of kColumns) expect(column.help, column.name).not.toBe('');
});
