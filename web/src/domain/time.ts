// Time ranges as the API takes them: `since` and `until` are ISO times or relative to now ("15m", "now-3h", "now").

export interface TimeRange {
  since: string;
  until: string;
}

export interface ResolvedRange {
  sinceMs: number;
  untilMs: number;
}

export const kPresets: readonly { since: string; label: string }[] = [
  { since: '5m', label: '5 min' },
  { since: '15m', label: '15 min' },
  { since: '1h', label: '1 h' },
  { since: '3h', label: '3 h' },
  { since: '6h', label: '6 h' },
  { since: '12h', label: '12 h' },
  { since: '1d', label: '1 d' },
  { since: '2d', label: '2 d' },
  { since: '1w', label: '1 w' },
];

export const kRefreshes: readonly { ms: number; label: string }[] = [
  { ms: 0, label: 'Off' },
  { ms: 1000, label: '1 s' },
  { ms: 5000, label: '5 s' },
  { ms: 15000, label: '15 s' },
  { ms: 30000, label: '30 s' },
  { ms: 60000, label: '1 min' },
];

const kUnitMs: Readonly<Record<string, number>> = {
  s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000,
};

export function parseDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$/.exec(text.trim());
  if (!match) return null;
  const unit = match[2] === 'ms' ? 1 : kUnitMs[match[2] ?? ''];
  return unit === undefined ? null : Number(match[1]) * unit;
}

// Milliseconds since the epoch, or null when the text is no time.
export function parseTime(text: string, nowMs: number): number | null {
  const trimmed = text.trim();
  if (trimmed === 'now') return nowMs;
  const relative = parseDuration(trimmed.replace(/^now\s*-\s*|^-/, ''));
  if (relative !== null) return nowMs - relative;
  if (/^\d{9,13}$/.test(trimmed)) return trimmed.length > 11 ? Number(trimmed) : Number(trimmed) * 1000;
  // A date alone, or a time without zone, is the reader's own clock.
  if (!/^\d{4}-\d{2}-\d{2}/.test(trimmed)) return null;
  const candidate = /^\d{4}-\d{2}-\d{2}$/.test(trimmed) ? `${trimmed}T00:00` : trimmed.replace(' ', 'T');
  const parsed = Date.parse(candidate);
  return Number.isNaN(parsed) ? null : parsed;
}

export function isRelative(range: TimeRange): boolean {
  return range.until === 'now';
}

export function resolveRange(range: TimeRange, nowMs: number): ResolvedRange | null {
  const sinceMs = parseTime(range.since, nowMs);
  const untilMs = parseTime(range.until, nowMs);
  if (sinceMs === null || untilMs === null || sinceMs >= untilMs) return null;
  return { sinceMs, untilMs };
}

export function absoluteRange(sinceMs: number, untilMs: number): TimeRange {
  return { since: new Date(sinceMs).toISOString(), until: new Date(untilMs).toISOString() };
}

// One period back or forth. Stepping forward into the future ends at now, with a relative range again.
export function shiftRange(range: TimeRange, direction: -1 | 1, nowMs: number): TimeRange {
  const resolved = resolveRange(range, nowMs);
  if (!resolved) return range;
  const length = resolved.untilMs - resolved.sinceMs;
  const untilMs = resolved.untilMs + direction * length;
  if (untilMs >= nowMs) {
    const preset = kPresets.find((p) => Math.abs((parseDuration(p.since) ?? 0) - length) < 1000);
    return { since: preset?.since ?? `${Math.max(1, Math.round(length / 1000))}s`, until: 'now' };
  }
  return absoluteRange(untilMs - length, untilMs);
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

export function formatClock(ms: number, withSeconds = true): string {
  const d = new Date(ms);
  return `${two(d.getHours())}:${two(d.getMinutes())}${withSeconds ? `:${two(d.getSeconds())}` : ''}`;
}

export function formatDate(ms: number): string {
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

export function formatTime(ms: number): string {
  return `${formatDate(ms)} ${formatClock(ms)}`;
}

// "Last 15 min", or both ends with the date only where it is not today's.
export function describeRange(range: TimeRange, nowMs: number): string {
  const preset = isRelative(range) && kPresets.find((p) => p.since === range.since.replace(/^now-/, ''));
  if (preset) return `Last ${preset.label}`;
  if (isRelative(range) && parseDuration(range.since.replace(/^now-/, '')) !== null) return `Last ${range.since.replace(/^now-/, '')}`;
  const resolved = resolveRange(range, nowMs);
  if (!resolved) return `${range.since} – ${range.until}`;
  const { sinceMs, untilMs } = resolved;
  const today = formatDate(nowMs);
  const head = formatDate(sinceMs) === today ? formatClock(sinceMs) : formatTime(sinceMs);
  const tail = isRelative(range) ? 'now' : formatDate(untilMs) === formatDate(sinceMs) ? formatClock(untilMs) : formatTime(untilMs);
  return `${head} – ${tail}`;
}

export function ago(ms: number, nowMs: number): string {
  const gone = nowMs - ms;
  if (gone < 1500) return 'just now';
  if (gone < 120_000) return `${Math.round(gone / 1000)} s ago`;
  if (gone < 7_200_000) return `${Math.round(gone / 60_000)} min ago`;
  if (gone < 172_800_000) return `${Math.round(gone / 3_600_000)} h ago`;
  return `${Math.round(gone / 86_400_000)} d ago`;
}
