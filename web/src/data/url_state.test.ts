import { describe, expect, test } from 'vitest';
import { formatHash, kDefaults, parseHash, type UrlState } from './url_state';

test('the default page is the map of the last 15 minutes, and its address is short', () => {
  expect(parseHash('')).toEqual(kDefaults);
  expect(kDefaults).toMatchObject({ view: 'map', since: '15m', until: 'now', onlyProblems: false });
  expect(formatHash(kDefaults)).toBe('#/map');
});

describe('what is chosen survives the address', () => {
  const flows: Partial<UrlState> = {
    view: 'flows', since: '2026-11-24T14:00:00.000Z', until: '2026-11-24T15:00:00.000Z', refreshMs: 0, live: true,
    filter: 'client_process = "a & b ? # %" and server_port in (80, 443)', columns: ['bytes', 'server_port'], widths: { bytes: 140 },
    groupBy: ['server_port', 'client_node'], sort: 'rtt_avg_us', limit: 5000, chart: 'rtt',
  };
  const map: Partial<UrlState> = { view: 'map', level: 'workload', label: 'rtt_p99', onlyProblems: true, selected: 'edge folded container x → n1' };
  test.each([flows, map])('%o', (change) => {
    const state = { ...kDefaults, ...change };
    expect(parseHash(formatHash(state))).toEqual(state);
  });

  test('hostile filters too', () => {
    const filter = 'client_process = "<img src=x onerror=alert(1)>\u202e\u0007"';
    expect(parseHash(formatHash({ ...kDefaults, filter })).filter).toBe(filter);
  });
});

test('nonsense gives a usable state', () => {
  const state = parseHash('#/nowhere?refresh=-5&level=galaxy&label=x&limit=1e99&sort=a;b&columns=a,<b>,c&widths=a.99999,b.x&chart=pie');
  expect(state).toMatchObject({ view: 'map', refreshMs: 0, level: 'auto', label: 'bytes', sort: '-bytes', columns: ['a', 'c'], widths: {}, chart: 'bytes' });
});

test('a malformed escape does not throw', () => {
  expect(parseHash('#/flows?filter=%E0%A4%A').view).toBe('flows');
});
