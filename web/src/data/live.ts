// The live stream: server-sent events into a bounded list of rows, newest first. While paused, rows are counted and
// kept aside (bounded as well), so that nothing moves under the reader's eyes.
import { liveUrl } from './api';
import type { FlowRow } from './types';

export const kMaximumRows = 2000;
export const kRetryMs = 3000;

export interface LiveState {
  connection: 'connecting' | 'open' | 'lost';
  rows: FlowRow[];
  paused: boolean;
  waiting: number;        // rows that arrived while paused
  lost: number;           // rows the server or this page had to drop
  lastEventMs: number;
}

// The part of EventSource used here; tests bring their own.
export interface Source {
  onopen: ((event: Event) => void) | null;
  onerror: ((event: Event) => void) | null;
  readonly readyState: number;  // 2 = closed: a refused stream is not tried again by the browser
  addEventListener(name: string, handler: (event: MessageEvent<string>) => void): void;
  close(): void;
}

export type OpenSource = (url: string) => Source;

function parse(data: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? value as Record<string, unknown> : null;
  } catch {
    return null;
  }
}

export class LiveTail {
  private state: LiveState = { connection: 'connecting', rows: [], paused: false, waiting: 0, lost: 0, lastEventMs: 0 };
  private held: FlowRow[] = [];
  private source: Source;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(
    private readonly filter: string,
    private readonly namespaces: readonly string[],
    private readonly onChange: (state: LiveState) => void,
    private readonly open: OpenSource = (url) => new EventSource(url),
    private readonly now: () => number = Date.now,
  ) {
    this.source = this.connect('30s');
  }

  private connect(replay: string): Source {
    const source = this.open(liveUrl(this.filter, this.namespaces, replay));
    source.onopen = () => this.update({ connection: 'open', lastEventMs: this.now() });
    source.onerror = () => this.onLost(source);
    source.addEventListener('rows', (event) => this.onRows(event.data));
    source.addEventListener('heartbeat', () => this.update({ connection: 'open', lastEventMs: this.now() }));
    source.addEventListener('dropped', (event) => {
      const count = parse(event.data)?.['rows'];
      this.update({ lost: this.state.lost + (typeof count === 'number' ? count : 0) });
    });
    return source;
  }

  // After a broken connection EventSource connects again by itself; after a refusal (busy, restart) it gives up.
  private onLost(source: Source): void {
    this.update({ connection: 'lost' });
    if (source.readyState !== 2 || this.closed) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => { if (!this.closed) this.source = this.connect('0s'); }, kRetryMs);
  }

  pause(): void {
    this.update({ paused: true });
  }

  resume(): void {
    const rows = [...this.held, ...this.state.rows].slice(0, kMaximumRows);
    this.held = [];
    this.update({ paused: false, waiting: 0, rows });
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.retry);
    this.source.close();
  }

  private onRows(data: string): void {
    const event = parse(data);
    const rows = event?.['rows'];
    if (!event || !Array.isArray(rows)) return;
    const fresh = (rows as FlowRow[]).slice().reverse();
    const dropped = typeof event['dropped'] === 'number' ? event['dropped'] : 0;
    const common = { connection: 'open' as const, lastEventMs: this.now(), lost: this.state.lost + dropped };
    if (this.state.paused) {
      this.held = [...fresh, ...this.held].slice(0, kMaximumRows);
      this.update({ ...common, waiting: this.state.waiting + fresh.length });
      return;
    }
    this.update({ ...common, rows: [...fresh, ...this.state.rows].slice(0, kMaximumRows) });
  }

  private update(change: Partial<LiveState>): void {
    if (this.closed) return;
    this.state = { ...this.state, ...change };
    this.onChange(this.state);
  }
}
