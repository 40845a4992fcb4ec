import { expect, test } from 'vitest';
import { isLimited, isMissing } from './probes';

test('a probe is limited where somebody can mend it', () => {
  expect(isLimited({ state: 'on', hint: '' })).toBe(false);
  expect(isLimited({ state: 'off', hint: '' })).toBe(false);
  expect(isLimited({ state: 'off', hint: 'start without it' })).toBe(true);
  expect(isLimited({ state: 'failed', hint: '' })).toBe(true);
});

test('a fallback is limited and nothing is missing', () => {
  expect(isLimited({ state: 'fallback', hint: '' })).toBe(true);
  expect(isMissing({ state: 'fallback', hint: '' })).toBe(false);
  expect(isMissing({ state: 'failed', hint: '' })).toBe(true);
});
