import { expect, test } from 'vitest';
import { edgeLabel, edgeSentence } from './edge_label';
import { link } from './fixtures';

const kEdge = link('a', 'b', { bytes_per_second: 2048, connections_opened: 45, rtt_avg_us: 1500, retransmits: 0, retransmit_percent: 0 });

test('each measure with its unit', () => {
  expect(edgeLabel(kEdge, 'bytes', 90)).toBe('2 KiB/s');
  expect(edgeLabel(kEdge, 'connections', 90)).toBe('0.50 conn/s');
  expect(edgeLabel(kEdge, 'connections', 9000)).toBe('<0.1 conn/s');
  expect(edgeLabel(kEdge, 'rtt_avg', 90)).toBe('1.50 ms');
});

test('nothing is said where nothing is known or nothing happened', () => {
  for (const label of ['retransmits', 'failures', 'none'] as const) expect(edgeLabel(kEdge, label, 90)).toBe('');
  expect(edgeLabel({ ...kEdge, rtt_avg_us: null }, 'rtt_avg', 90)).toBe('');
});

test('an edge without bytes tells its failures instead', () => {
  expect(edgeLabel({ ...kEdge, bytes_per_second: 0, connections_failed: 3 }, 'bytes', 90)).toBe('3 failed');
});

test('a sentence for those who cannot see the line', () => {
  expect(edgeSentence('a', 'b', { ...kEdge, connections_failed: 2 })).toBe('a to b, 2 KiB/s, 2 failed connections');
});
