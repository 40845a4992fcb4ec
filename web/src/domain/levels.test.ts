import { describe, expect, test } from 'vitest';
import { kSchemaColumns } from './columns';
import { addCondition } from './filter_edit';
import { checkFilter } from './filter_syntax';
import { link, thing } from './fixtures';
import { crossesZones, mergeEdges } from './graph';
import { glyphOf, kLevels, levelBelow, stepCondition, stepsOf, withoutSteps } from './levels';
import { kPresets } from './presets';

const shop = thing('a', { kind: 'namespace', name: 'shop', namespace: 'shop' });
const api = thing('b', { kind: 'workload', name: 'api', namespace: 'shop', workload: 'a pi' });
const pod = thing('c', { kind: 'pod', name: 'api-1', namespace: 'shop', workload: 'api', pod: 'api-1' });

describe('stepping in and out', () => {
  test('conditions parse, and are found again as the trail', () => {
    const filter = [shop, api, pod].map((node) => stepCondition(node) ?? '').reduce(addCondition, 'bytes > 5');
    expect(checkFilter(filter, kSchemaColumns.map((c) => c.name).concat('namespace'))).toBeUndefined();
    expect(stepsOf(filter).map(({ kind, name, inside }) => [kind, name, inside]))
      .toEqual([['namespace', 'shop', 'workload'], ['workload', 'shop/a pi', 'pod'], ['pod', 'shop/api-1', 'process']]);
    expect(withoutSteps(filter, 1)).toBe('bytes > 5 and namespace = shop');
    expect(withoutSteps(filter, 0)).toBe('bytes > 5');
  });

  test('a workload is told by both of its names at the same end', () => {
    expect(stepCondition(pod)).toBe('((client_namespace = shop and client_pod = api-1) or (server_namespace = shop and server_pod = api-1))');
  });

  test('what a reader typed is no step unless it means the same', () => {
    expect(stepsOf('namespace != shop and process = nginx and not namespace = x')).toEqual([]);
    expect(stepsOf('a = 1 or namespace = shop')).toEqual([]);
    expect(stepsOf('((client_namespace = a and client_pod = b) or (server_namespace = c and server_pod = b))')).toEqual([]);
  });

  test('there is a level below everything but a process and what is outside', () => {
    expect(levelBelow(shop, 'namespace')).toBe('workload');
    expect(levelBelow(api, 'workload')).toBe('pod');
    expect(levelBelow(thing('x', { kind: 'process' }), 'process')).toBeUndefined();
    expect(levelBelow(thing('x', { kind: 'cloud_service', external: true }), 'namespace')).toBeUndefined();
    for (const kind of ['cluster', 'zone', 'host', 'service'] as const) {
      expect(kLevels.map((l) => l.id)).toContain(levelBelow(thing('x', { kind }), 'cluster'));
    }
  });
});

test('things outside have the glyph of their class, strangers none', () => {
  expect(glyphOf(thing('s', { external: true, kind: 'cloud_service', cloud_service: 'object_store' }))).toBe('bucket');
  expect(glyphOf(thing('s', { external: true, kind: 'cloud_service', cloud_service: 'something_new' }))).toBe('cloud');
  expect(glyphOf(thing('s', { external: true, kind: 'external' }))).toBe('outside');
  expect(glyphOf(thing('s', { external: true, kind: 'host' }))).toBeUndefined();
  expect(glyphOf(thing('s'))).toBeUndefined();
});

test('merged edges add up what went between which zones', () => {
  const pair = (bytes: number) => ({ client_zone: 'a', server_zone: 'b', bytes });
  const parts = [
    link('x', 'y', { localities: { inter_zone: 5 }, zone_pairs: [pair(5)], inter_zone_bytes: 5, timeouts: 1 }),
    link('x', 'z', { localities: { inter_zone: 2, same_zone: 50 }, zone_pairs: [pair(2)], inter_zone_bytes: 2, cost_usd: 0.5 }),
  ];
  const total = mergeEdges('e', 'x', 'f', parts);
  expect(total).toMatchObject({ locality: 'same_zone', inter_zone_bytes: 7, timeouts: 1, cost_usd: 0.5, zone_pairs: [pair(7)] });
  expect(crossesZones(total)).toBe(true);
  expect(crossesZones(link('x', 'y'))).toBe(false);
});

test('presets ask for columns that there are, and their conditions parse', () => {
  const names = kSchemaColumns.map((c) => c.name);
  for (const preset of kPresets) {
    expect(checkFilter(preset.condition, names), preset.id).toBeUndefined();
    for (const name of [...preset.groupBy, ...preset.columns].filter((n) => !n.endsWith('_end'))) expect(names, `${preset.id} ${name}`).toContain(name);
    for (const name of Object.keys(preset.titles)) expect(preset.columns).toContain(name);
  }
});
