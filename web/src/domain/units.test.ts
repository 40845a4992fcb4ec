import { describe, expect, test } from 'vitest';
import { kColumns } from '../gen/schema';
import { formatBytes, formatCount, formatDuration, formatMicroseconds, formatPercent, formatUnit, headerUnit } from './units';

describe('bytes are IEC with three digits', () => {
  test.each([
    [0, '0 B'], [1023, '1023 B'], [1024, '1 KiB'], [1536, '1.50 KiB'], [1048575, '1.00 MiB'], [1048576, '1 MiB'],
    [123456789, '118 MiB'], [5e15, '4.44 PiB'],
  ])('%d', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('durations of the network', () => {
  test.each([
    [0.4, '0.40 µs'], [41, '41 µs'], [999, '999 µs'], [1000, '1 ms'], [14800, '14.8 ms'], [2_500_000, '2.50 s'],
    [300e6, '5 min'],
  ])('%d µs', (us, text) => expect(formatMicroseconds(us)).toBe(text));
});

test('long durations have two parts at most', () => {
  expect(formatDuration(90_000)).toBe('90 s');
  expect(formatDuration(12_000_000)).toBe('3 h 20 min');
  expect(formatDuration(2 * 86_400_000 + 4 * 3_600_000)).toBe('2 d 4 h');
});

test('counts are exact up to five digits', () => {
  expect(formatCount(99_999)).toBe('99,999');
  expect(formatCount(162_468)).toBe('162 k');
  expect(formatCount(0)).toBe('0');
});

test('a small percentage is never rounded to zero', () => {
  expect(formatPercent(0)).toBe('0 %');
  expect(formatPercent(0.001)).toBe('<0.01 %');
  expect(formatPercent(7.2)).toBe('7.20 %');
});

test('unknown is a dash with an explanation, zero is zero', () => {
  expect(formatUnit(null, 'us')).toEqual({ text: '–', title: 'unknown: nothing measured this' });
  expect(formatUnit(undefined, 'bytes').text).toBe('–');
  expect(formatUnit(0, 'bytes').text).toBe('0 B');
  expect(formatUnit(0, 'us').text).toBe('0 µs');
});

test('every measure of the column table says its unit in the cell, the head or the name', () => {
  for (const column of kColumns.filter((c) => c.unit !== '' && c.kind !== 'time' && c.kind !== 'histogram')) {
    const cell = formatUnit(12, column.unit).text;
    const said = /[A-Za-z%µ$]/.test(cell) || headerUnit(column.name, column.unit) !== '' || column.name.includes(column.unit);
    expect(said, column.name).toBe(true);
  }
});
