import { expect, test } from 'vitest';
import { kColumns } from './schema';

test('columns are unique and complete', () => {
  expect(new Set(kColumns.map((c) => c.name)).size).toBe(kColumns.length);
  for (const column of kColumns) expect(column.help, column.name).not.toBe('');
});
