import { describe, expect, test } from 'vitest';
import { checkFilter, conjuncts, tokenize } from './filter_syntax';

const kFields = ['server_port', 'client_process', 'client_address', 'bytes', 'process'];

describe('what is right passes', () => {
  test.each([
    '', 'server_port = 80', 'server_port=80', 'not server_port = 80', 'bytes > 10M and process ~ "^ng"',
    'server_port in (80, 443) or client_address in 10.0.0.0/8', 'server_port not in (1)',
    "((client_process = 'a b')) and not (bytes <= 3k or bytes >= 5Gi)", 'NOT process = x AND bytes > 1',
    'client_address = ::1', 'client_process = "say \\"hi\\""',
  ])('%s', (text) => expect(checkFilter(text, kFields)).toBeUndefined());
});

describe('what is wrong says where', () => {
  test.each([
    ['sevrer_port = 1', 1, 'unknown field'], ['server_port', 12, 'expected an operator'], ['server_port =', 14, 'expected a value'],
    ['server_port = 80 bytes > 1', 18, "expected 'and'"], ['(server_port = 80', 18, "expected ')'"],
    ['server_port in (80,', 20, 'expected a value'], ['process = "open', 11, 'never closed'], ['and', 1, 'expected a field'],
    ['process = a and', 16, 'expected a field'], ['!', 1, "unexpected '!'"],
  ])('%s', (text, position, message) => {
    const error = checkFilter(text, kFields);
    expect(error?.position).toBe(position);
    expect(error?.message).toContain(message);
  });

  test('deep nesting is refused, not a stack overflow', () => {
    expect(checkFilter('('.repeat(5000), kFields)?.message).toContain('32 levels');
  });
});

test('without known fields, any name may be a field', () => {
  expect(checkFilter('whatever = 1', [])).toBeUndefined();
});

test('escapes inside quotes are undone in the value', () => {
  expect(tokenize('"a\\"b\\\\c"').tokens[0]?.value).toBe('a"b\\c');
});

describe('conjuncts', () => {
  test('split at the outermost "and" only', () => {
    const parts = conjuncts('server_port = 80 and (process = a or process = b) and not bytes > 5') ?? [];
    expect(parts.map((p) => p.text)).toEqual(['server_port = 80', '(process = a or process = b)', 'not bytes > 5']);
    expect(parts[0]).toMatchObject({ field: 'server_port', operator: '=', value: '80', negated: false });
    expect(parts[1]?.field).toBeUndefined();
    expect(parts[2]).toMatchObject({ field: 'bytes', operator: '>', value: '5', negated: true });
  });

  test('an outermost "or" is one part', () => {
    expect(conjuncts('bytes > 1 and bytes < 2 or server_port = 80')).toHaveLength(1);
  });

  test('lists and quoted keywords stay whole', () => {
    expect(conjuncts('server_port not in (80, 443) and process = "this and that"')?.map((p) => [p.operator, p.value]))
      .toEqual([['not in', '(80, 443)'], ['=', 'this and that']]);
  });

  test('broken text has none', () => {
    expect(conjuncts('server_port =')).toBeUndefined();
    expect(conjuncts('')).toEqual([]);
  });
});
