import { expect, test } from 'vitest';
import { plural, shortContainer, shorten, visible } from './text';

test('control, bidirectional and zero-width characters become visible escapes', () => {
  expect(visible('a\u0000b\u0007\u001b[31m')).toBe('a\\x00b\\x07\\x1B[31m');
  expect(visible('evil\u202egnp.exe')).toBe('evil\\u202Egnp.exe');
  expect(visible('zero\u200bwidth\ufeff')).toBe('zero\\u200Bwidth\\uFEFF');
});

test('ordinary text, also beyond ASCII, is left alone', () => {
  expect(visible('nginx: мастер 数据库 <b>')).toBe('nginx: мастер 数据库 <b>');
});

test('shortening keeps both ends and never exceeds the maximum', () => {
  expect(shorten('short', 10)).toBe('short');
  const short = shorten('a-very-long-process-name-7', 12);
  expect([...short]).toHaveLength(12);
  expect(short.startsWith('a-very')).toBe(true);
  expect(short.endsWith('e-7')).toBe(true);
});

test('shortening counts code points, so that no surrogate pair is torn', () => {
  expect(shorten('😀'.repeat(10), 4)).toBe('😀😀…😀');
});

test('container ids show 12 digits; names stay whole', () => {
  expect(shortContainer('0123456789abcdef'.repeat(4))).toBe('0123456789ab');
  expect(shortContainer('my-container-name')).toBe('my-container-name');
});

test('plural', () => {
  expect(plural(1, 'flow')).toBe('1 flow');
  expect(plural(1200, 'flow')).toBe('1,200 flows');
});
