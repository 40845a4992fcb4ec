import { describe, expect, test } from 'vitest';
import type { Column } from '../data/types';
import { compareCells, defaultColumns, endName, kDefaultColumns, kDefaultMeasures, kEndColumns, kRequestColumns, kRequestMeasures, kSchemaColumns, placeOf, rowKey, showCell, title } from './columns';

const named = (name: string): Column => {
  const column = [...kEndColumns, ...kSchemaColumns].find((c) => c.name === name);
  if (!column) throw new Error(name);
  return column;
};

test('the default columns exist', () => {
  for (const name of [...kDefaultColumns, ...kDefaultMeasures, ...kRequestColumns, ...kRequestMeasures]) expect(named(name).name).toBe(name);
});

test('an answer about nothing but requests is shown with the columns of requests', () => {
  const requests = { requests: 3, requests_unusable: 0, bytes: 0, connections_opened: 0, connections_failed: 0 };
  expect(defaultColumns(requests, false)).toEqual([...kRequestColumns, ...kRequestMeasures]);
  expect(defaultColumns(requests, true)).toBe(kRequestMeasures);
  expect(defaultColumns({ ...requests, requests: 0, requests_unusable: 1 }, true)).toBe(kRequestMeasures);
  expect(defaultColumns({ ...requests, bytes: 5 }, false)).toBe(kDefaultColumns);
  expect(defaultColumns({ ...requests, connections_failed: 1 }, true)).toBe(kDefaultMeasures);
  expect(defaultColumns({ ...requests, requests: 0 }, false)).toBe(kDefaultColumns);
  expect(defaultColumns(undefined, false)).toBe(kDefaultColumns);
});

test('titles are distinct and readable', () => {
  const titles = kSchemaColumns.map((c) => title(c.name));
  expect(new Set(titles).size).toBe(titles.length);
  expect(title('bytes_to_server')).toBe('Bytes → server');
  expect(title('rtt_p99_us')).toBe('RTT p99');
});

describe('cells', () => {
  test('null is unknown, zero is zero', () => {
    expect(showCell(named('rtt_avg_us'), null).text).toBe('–');
    expect(showCell(named('connections_failed'), 0).text).toBe('0');
    expect(showCell(named('client_netns'), 0).text).toBe('–');
  });

  test('a port is a name, not a quantity', () => {
    expect(showCell(named('server_port'), 15006).text).toBe('15006');
  });

  test('an empty dimension says why it may be empty', () => {
    expect(showCell(named('client_process'), '').title).toContain('no agent sees this end');
  });

  test('no address is not shown as one', () => {
    expect(showCell(named('client_address'), '::').text).toBe('–');
    expect(showCell(named('server_address'), '0.0.0.0').text).toBe('–');
    expect(showCell(named('server_address'), '::1').text).toBe('::1');
  });

  test('a process is shown with its container, else its network namespace', () => {
    const row = { client_process: 'curl', client_container: '', client_netns_name: 'lab-a', server_process: 'nginx',
      server_container: '0123456789abcdef0123', server_netns_name: 'lab-b' };
    expect(placeOf(named('client_process'), row)).toBe('lab-a');
    expect(placeOf(named('server_process'), row)).toBe('0123456789ab');
    expect(placeOf(named('client_address'), row)).toBe('');
    expect(placeOf(named('client_process'), { client_process: 'curl' })).toBe('');
  });

  test('names are made visible', () => {
    expect(showCell(named('client_process'), '<b>\u202e').text).toBe('<b>\\u202E');
  });

  test('containers are short with the whole id in the title', () => {
    const id = 'ab'.repeat(32);
    expect(showCell(named('client_container'), id)).toEqual({ text: id.slice(0, 12), title: id });
  });

  test('a time that is none does not throw', () => {
    expect(showCell(named('start'), 'not a time').text).toBe('–');
  });
});

describe('an end by its best name', () => {
  const row = (part: object) => Object.fromEntries(Object.entries(part).map(([name, value]) => [`server_${name}`, value]));
  test.each([
    [{ namespace: 'shop', workload: 'api', pod: 'api-1', process: 'java', address: '10.0.0.1' }, 'shop/api', 'api-1'],
    [{ namespace: 'shop', workload: 'lone', pod: 'lone', process: 'sh' }, 'shop/lone', 'sh'],
    [{ kind: 'service', service: 'api', service_namespace: 'shop', address: '10.96.0.1' }, 'shop/api', 'service'],
    [{ external_name: 'b.s3.amazonaws.com', cloud_service: 'object_store', address: '198.51.100.1' }, 'b.s3.amazonaws.com', 'object store'],
    [{ process: 'nginx', container: '', container_name: 'web', node: 'n1' }, 'nginx', 'web'],
    [{ process: '', node: 'n1', address: '10.0.0.2' }, 'n1', ''],
    [{ address: '10.0.0.2' }, '10.0.0.2', ''],
    [{ address: '::' }, '', ''],
  ])('%o', (part, text, place) => expect(endName(row(part), 'server')).toEqual({ text, place }));

  test('names are made visible', () => expect(endName(row({ workload: 'a\u202eb', namespace: '' }), 'server').text).toBe('a\\u202Eb'));
});

test('unknown sorts last', () => {
  expect([3, null, 1, undefined, 2].sort(compareCells).slice(0, 3)).toEqual([1, 2, 3]);
});

test('row keys tell rows apart by their dimensions only', () => {
  expect(rowKey({ a: 'x', b: 1, bytes: 5 }, ['a', 'b'])).toBe(rowKey({ a: 'x', b: 1, bytes: 9 }, ['a', 'b']));
  expect(rowKey({ a: 'x', b: '' }, ['a', 'b'])).not.toBe(rowKey({ a: '', b: 'x' }, ['a', 'b']));
});
