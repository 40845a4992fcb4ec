import { expect, test } from 'vitest';
import type { SeriesAnswer } from '../data/types';
import { curvesOf } from './chart';

const answer = (unit: string, value: number): SeriesAnswer => ({
  range: { since: '2026-01-01T00:00:00Z', until: '2026-01-01T00:00:10Z' }, resolution: 'raw', elapsed_ms: 0, step_ms: 5000, times: ['2026-01-01T00:00:00Z'], groups_left_out: 0,
  columns: [{ name: 'x', type: 'uint', kind: 'sum', unit, help: '' }], series: [{ group: {}, values: { x: [value] } }],
} as unknown as SeriesAnswer);

test('sums become rates: bytes per second, and time a share of the time that passed', () => {
  expect(curvesOf(answer('bytes', 10_000), true)[0]).toMatchObject({ unit: 'bytes/s', values: [2000] });
  expect(curvesOf(answer('us', 2_500_000), true)[0]).toMatchObject({ unit: '%', values: [50] });
  expect(curvesOf(answer('us', 2_500_000), false)[0]).toMatchObject({ unit: 'us', values: [2_500_000] });
});
