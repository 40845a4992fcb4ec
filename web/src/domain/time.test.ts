import { describe, expect, test } from 'vitest';
import { absoluteRange, ago, describeRange, parseDuration, parseTime, resolveRange, shiftRange } from './time';

const kNow = Date.parse('2026-11-24T15:00:00Z');

describe('parseTime', () => {
  test.each([
    ['now', 0], ['15m', 900_000], ['now-3h', 10_800_000], ['-1d', 86_400_000], ['1w', 604_800_000], ['250ms', 250],
  ])('%s is relative to now', (text, backMs) => expect(parseTime(text, kNow)).toBe(kNow - backMs));

  test('ISO with a zone, Unix seconds and milliseconds', () => {
    expect(parseTime('2026-11-24T14:00:00Z', kNow)).toBe(kNow - 3_600_000);
    expect(parseTime(String(kNow / 1000), kNow)).toBe(kNow);
    expect(parseTime(String(kNow), kNow)).toBe(kNow);
  });

  test('a time without a zone is the reader’s clock', () => {
    expect(parseTime('2026-11-24 14:00', kNow)).toBe(new Date(2026, 10, 24, 14, 0).getTime());
    expect(parseTime('2026-11-24', kNow)).toBe(new Date(2026, 10, 24).getTime());
  });

  test.each(['', 'yesterdayish', '15', '2026-13-40', '5 parsecs'])('%j is no time', (text) => expect(parseTime(text, kNow)).toBeNull());
});

test('durations', () => {
  expect(parseDuration('1.5h')).toBe(5_400_000);
  expect(parseDuration('3x')).toBeNull();
});

test('a range must go forward', () => {
  expect(resolveRange({ since: '15m', until: 'now' }, kNow)).toEqual({ sinceMs: kNow - 900_000, untilMs: kNow });
  expect(resolveRange({ since: 'now', until: '15m' }, kNow)).toBeNull();
  expect(resolveRange({ since: 'bogus', until: 'now' }, kNow)).toBeNull();
});

test('one period back, and forward again to the relative range it came from', () => {
  const back = shiftRange({ since: '15m', until: 'now' }, -1, kNow);
  expect(back).toEqual(absoluteRange(kNow - 1_800_000, kNow - 900_000));
  expect(shiftRange(back, 1, kNow)).toEqual({ since: '15m', until: 'now' });
});

test('stepping forward never ends in the future', () => {
  const range = absoluteRange(kNow - 700_000, kNow - 100_000);
  expect(shiftRange(range, 1, kNow)).toEqual({ since: '600s', until: 'now' });
});

test('descriptions', () => {
  expect(describeRange({ since: '15m', until: 'now' }, kNow)).toBe('Last 15 min');
  expect(describeRange({ since: '45m', until: 'now' }, kNow)).toBe('Last 45m');
  expect(describeRange(absoluteRange(kNow - 60_000, kNow), kNow)).toMatch(/^\d\d:\d\d:\d\d – \d\d:\d\d:\d\d$/);
  expect(describeRange({ since: 'x', until: 'y' }, kNow)).toBe('x – y');
});

test('ago', () => {
  expect(ago(kNow - 500, kNow)).toBe('just now');
  expect(ago(kNow - 90_000, kNow)).toBe('90 s ago');
  expect(ago(kNow - 3 * 86_400_000, kNow)).toBe('3 d ago');
});
