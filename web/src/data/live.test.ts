import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { kMaximumRows, kRetryMs, LiveTail, type LiveState, type Source } from './live';

class FakeSource implements Source {
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  closed = false;
  readyState = 0;
  private readonly handlers = new Map<string, (event: MessageEvent<string>) => void>();

  addEventListener(name: string, handler: (event: MessageEvent<string>) => void): void {
    this.handlers.set(name, handler);
  }

  close(): void {
    this.closed = true;
  }

  send(name: string, data: unknown): void {
    this.handlers.get(name)?.({ data: typeof data === 'string' ? data : JSON.stringify(data) } as MessageEvent<string>);
  }
}

let source: FakeSource;
let state: LiveState | undefined;
let url = '';
let tail: LiveTail;
let opened = 0;

beforeEach(() => {
  vi.useFakeTimers();
  opened = 0;
  source = new FakeSource();
  state = undefined;
  tail = new LiveTail('server_port = 80', ['shop', 'web'], (next) => { state = next; }, (to) => { url = to; opened += 1; return source; }, () => 1000);
});

afterEach(() => vi.useRealTimers());

test('asks with filter, namespaces and a short replay', () => {
  expect(url).toBe('api/v1/live?filter=server_port+%3D+80&namespace=shop%2Cweb&replay=30s');
});

test('newest rows come first', () => {
  source.send('rows', { rows: [{ n: 1 }, { n: 2 }], dropped: 0 });
  source.send('rows', { rows: [{ n: 3 }], dropped: 0 });
  expect(state?.rows.map((r) => r['n'])).toEqual([3, 2, 1]);
  expect(state?.connection).toBe('open');
});

test('memory is bounded', () => {
  for (let i = 0; i < 5; i += 1) source.send('rows', { rows: Array.from({ length: 900 }, (_, n) => ({ n })), dropped: 0 });
  expect(state?.rows).toHaveLength(kMaximumRows);
});

describe('paused', () => {
  beforeEach(() => {
    source.send('rows', { rows: [{ n: 1 }], dropped: 0 });
    tail.pause();
    source.send('rows', { rows: [{ n: 2 }, { n: 3 }], dropped: 0 });
  });

  test('nothing moves, what waits is counted', () => {
    expect(state?.rows.map((r) => r['n'])).toEqual([1]);
    expect(state?.waiting).toBe(2);
  });

  test('resuming shows what waited', () => {
    tail.resume();
    expect(state?.rows.map((r) => r['n'])).toEqual([3, 2, 1]);
    expect(state?.waiting).toBe(0);
  });
});

test('losses of both kinds are added up', () => {
  source.send('rows', { rows: [], dropped: 7 });
  source.send('dropped', { rows: 120 });
  expect(state?.lost).toBe(127);
});

test('a lost connection shows, a heartbeat ends it', () => {
  source.onerror?.(new Event('error'));
  expect(state?.connection).toBe('lost');
  source.send('heartbeat', { time: 'x' });
  expect(state?.connection).toBe('open');
});

test('a broken connection is left to the browser, a refused one is asked for again', () => {
  source.onerror?.(new Event('error'));
  vi.advanceTimersByTime(kRetryMs);
  expect(opened).toBe(1);
  source.readyState = 2;
  source.onerror?.(new Event('error'));
  vi.advanceTimersByTime(kRetryMs);
  expect(opened).toBe(2);
  expect(url).toContain('replay=0s');  // what was shown before is not shown twice
});

test('nothing is asked for again after closing', () => {
  source.readyState = 2;
  source.onerror?.(new Event('error'));
  tail.close();
  vi.advanceTimersByTime(kRetryMs);
  expect(opened).toBe(1);
});

test('garbage is ignored', () => {
  source.send('rows', { rows: [{ n: 1 }], dropped: 0 });
  for (const garbage of ['{', 'null', '5', '{"rows": 5}']) source.send('rows', garbage);
  expect(state?.rows).toHaveLength(1);
});

test('after closing nothing is reported any more', () => {
  tail.close();
  expect(source.closed).toBe(true);
  source.send('rows', { rows: [{ n: 1 }], dropped: 0 });
  expect(state).toBeUndefined();
});
