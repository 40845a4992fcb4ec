// Readings of nodes as series that the chart draws.
import type { NodeSeriesAnswer, RateWindow } from '../../data/findings';
import type { Column, SeriesAnswer } from '../../data/types';

function column(name: string, kind: Column['kind'], unit: string, help: string): Column {
  return { name, type: 'uint', kind, unit, help };
}

// "allowance.bandwidth_in_exceeded" -> "bandwidth in exceeded"
export function signalName(signal: string): string {
  return signal.slice(signal.indexOf('.') + 1).replace(/_/g, ' ');
}

export function nodeSeriesAnswer(answer: NodeSeriesAnswer): SeriesAnswer {
  const name = signalName(answer.signal.name);
  return {
    range: answer.range, resolution: 'raw', elapsed_ms: 0, step_ms: answer.step_ms, times: answer.times, groups_left_out: 0,
    columns: [column(name, answer.signal.kind === 'counter' ? 'sum' : 'max', answer.signal.unit, answer.signal.help)], series: [{ group: {}, values: { [name]: answer.values } }],
  };
}

// The steps of a window as bits per second; the range is the window's own.
export function windowAnswer(window: RateWindow): SeriesAnswer {
  const startMs = Date.parse(window.start);
  const stepMs = window.step_us / 1000;
  const count = Math.max(window.rx_bytes.length, window.tx_bytes.length);
  const rate = (list: readonly number[]) => Array.from({ length: count }, (_, i) => { const bytes = list[i]; return bytes === undefined ? null : (bytes * 8 * 1000) / stepMs; });
  return {
    range: { since: new Date(startMs).toISOString(), until: new Date(startMs + count * stepMs).toISOString() },
    resolution: '10ms', elapsed_ms: 0, step_ms: stepMs, groups_left_out: 0,
    times: Array.from({ length: count }, (_, i) => new Date(startMs + i * stepMs).toISOString()),
    columns: [column('received', 'derived', 'bit/s', 'Received'), column('sent', 'derived', 'bit/s', 'Sent')],
    series: [{ group: {}, values: { received: rate(window.rx_bytes), sent: rate(window.tx_bytes) } }],
  };
}
