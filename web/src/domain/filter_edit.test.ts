import { describe, expect, test } from 'vitest';
import type { MapNode } from '../data/types';
import { kSchemaColumns } from './columns';
import { thing } from './fixtures';
import { addCondition, condition, contextAt, edgeFilter, invertConjunct, nodeFilter, quote, removeConjunct, suggest } from './filter_edit';
import { checkFilter, tokenize } from './filter_syntax';

describe('quote', () => {
  test.each([
    ['nginx', 'nginx'], ['10.0.0.1', '10.0.0.1'], ['fe80::1', 'fe80::1'], ['node-a.example', 'node-a.example'],
    ['two words', '"two words"'], ['and', '"and"'], ['', '""'], ['-dash', '"-dash"'],
    ['say "hi"', '\'say "hi"\''], ['both " and \'', '"both \\" and \'"'], ['back\\slash', '"back\\\\slash"'],
  ])('%s', (value, text) => expect(quote(value)).toBe(text));

  test('whatever the value, it reads back as one value', () => {
    for (const value of ['<img src=x onerror=alert(1)>', 'a"b\'c\\d', '\u202e\u0007', ') or bytes > 0', "'", '"', '\\']) {
      const text = condition('client_process', '=', value);
      expect(checkFilter(text, ['client_process']), text).toBeUndefined();
      expect(tokenize(text).tokens.map((t) => t.value)).toEqual(['client_process', '=', value]);
    }
  });
});

describe('adding and removing', () => {
  test('joins with "and", once', () => {
    expect(addCondition('', 'bytes > 1')).toBe('bytes > 1');
    expect(addCondition('bytes > 1', 'server_port = 80')).toBe('bytes > 1 and server_port = 80');
    expect(addCondition('bytes > 1', 'bytes > 1')).toBe('bytes > 1');
  });

  test('an outermost "or" keeps its meaning', () => {
    expect(addCondition('bytes > 1 or bytes < 0', 'server_port = 80')).toBe('(bytes > 1 or bytes < 0) and server_port = 80');
    expect(addCondition('(bytes > 1 or bytes < 0)', 'server_port = 80')).toBe('(bytes > 1 or bytes < 0) and server_port = 80');
    expect(addCondition('(a = 1) or (b = 2)', 'c = 3')).toBe('((a = 1) or (b = 2)) and c = 3');
  });

  test('removes one part', () => {
    expect(removeConjunct('a = 1 and b = 2 and c = 3', 1)).toBe('a = 1 and c = 3');
    expect(removeConjunct('a = 1', 0)).toBe('');
  });

  test('inverting twice gives the same', () => {
    for (const text of ['a = 1', 'a != "x y"', 'a in (1, 2)', 'a not in (1, 2)', 'bytes >= 10M', '(a = 1 or b = 2)']) {
      const once = invertConjunct(text, 0);
      expect(once).not.toBe(text);
      expect(invertConjunct(once, 0)).toBe(text);
    }
  });
});

function node(part: Partial<MapNode>): MapNode {
  return thing('n', { name: '', group: '', group_kind: '', container: '', node: '', addresses: [], ...part });
}

describe('filters of map things', () => {
  const nginx = node({ name: 'nginx', container: 'abc', node: 'node-a' });
  const outside = node({ kind: 'host', name: '10.0.0.9', addresses: ['10.0.0.9'], external: true });
  const internet = node({ kind: 'internet', name: 'internet', external: true });

  test('an edge names both ends and keeps the filter', () => {
    expect(edgeFilter('bytes > 1', nginx, outside))
      .toBe('bytes > 1 and client_node = node-a and client_container = abc and client_process = nginx and server_address = 10.0.0.9');
  });

  test('a network namespace is named by its name, else by its number', () => {
    const named = node({ name: 'python3', netns_name: 'lab-a', node: 'node-a' });
    const nameless = node({ kind: 'netns', name: 'netns 4026532201', netns: 4026532201, node: 'node-a' });
    expect(edgeFilter('', named, nameless))
      .toBe('client_node = node-a and client_netns_name = lab-a and client_process = python3 and server_node = node-a and server_netns = 4026532201');
    expect(nodeFilter('', node({ kind: 'netns', name: 'lab-a', netns_name: 'lab-a', node: 'node-a' })))
      .toBe('((client_node = node-a and client_netns_name = lab-a) or (server_node = node-a and server_netns_name = lab-a))');
    expect(checkFilter(edgeFilter('', named, nameless), kSchemaColumns.map((c) => c.name))).toBeUndefined();
  });

  test('the internet has no address; its locality selects it', () => {
    expect(edgeFilter('', internet, nginx)).toContain('locality = internet and server_node = node-a');
  });

  test('a thing takes part on either side', () => {
    expect(nodeFilter('', outside)).toBe('(client_address = 10.0.0.9 or server_address = 10.0.0.9)');
    expect(checkFilter(nodeFilter('bytes > 1', nginx), [])).toBeUndefined();
  });

  test('many addresses become a list', () => {
    const many = node({ kind: 'host', name: 'x', external: true, addresses: ['10.0.0.1', 'fe80::1'] });
    expect(edgeFilter('', many, many)).toContain('client_address in (10.0.0.1, fe80::1)');
  });
});

describe('what belongs at the caret', () => {
  test.each([
    ['', 'field', undefined], ['ser', 'field', undefined], ['server_port ', 'operator', undefined], ['server_port = ', 'value', 'server_port'],
    ['server_port = 8', 'value', 'server_port'], ['server_port = 80 ', 'joiner', undefined], ['server_port = 80 and ', 'field', undefined],
    ['process in (a, ', 'value', 'process'], ['process not in (', 'value', 'process'], ['process in (a) ', 'joiner', undefined],
    ['(', 'field', undefined], ['not ', 'field', undefined], ['client_process = "two wo', 'value', 'client_process'],
    ['client_address in 10.0.0.0/8 ', 'joiner', undefined],
  ])('%j', (text, expects, field) => {
    const context = contextAt(text, text.length);
    expect(context.expects).toBe(expects);
    if (field !== undefined) expect(context.field).toBe(field);
  });
});

describe('suggestions', () => {
  const eithers = [{ name: 'process', columns: ['client_process', 'server_process'] }];
  const labels = (text: string, values: string[] = []) => suggest(text, text.length, kSchemaColumns, eithers, values).map((s) => s.label);

  test('fields that begin with the word come before those that contain it', () => {
    const found = labels('process');
    expect(found[0]).toBe('process');
    expect(found).toContain('client_process');
  });

  test('operators fit the type of the column', () => {
    expect(labels('client_process ')).toContain('~');
    expect(labels('bytes ')).not.toContain('~');
    expect(labels('client_address ')).not.toContain('<');
  });

  test('values are quoted where they must be, and replace what was typed', () => {
    const text = 'client_process = tw';
    const [first] = suggest(text, text.length, kSchemaColumns, eithers, ['two words', 'nginx']);
    expect(first).toMatchObject({ label: 'two words', text: '"two words" ', from: 17, to: 19 });
  });

  test('histograms are not offered', () => {
    expect(labels('client_rtt')).not.toContain('client_rtt_histogram');
  });
});
