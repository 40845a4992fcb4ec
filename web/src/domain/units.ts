// Every number a person sees passes through here: IEC bytes, µs/ms/s, counts and percent. Unknown is "–", never 0.

export interface Shown {
  text: string;   // "1.2 MiB"
  title: string;  // the exact value with its unit, for the tooltip
}

export const kUnknown: Shown = { text: '–', title: 'unknown: nothing measured this' };

const kBinary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
const kDecimal = ['', 'k', 'M', 'G', 'T'];

// Three significant digits, no trailing zeros beyond what keeps columns calm.
function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function scaled(value: number, base: number, names: readonly string[]): [string, string] {
  let step = 0;
  let rest = value;
  // 999.5 would round to 1000 of the smaller unit.
  while (Math.abs(rest) >= (step === 0 ? base : base - 0.5) && step < names.length - 1) {
    rest /= base;
    step += 1;
  }
  return [step === 0 && Number.isInteger(rest) ? rest.toFixed(0) : digits(rest), names[step] ?? ''];
}

export function formatBytes(bytes: number): string {
  const [number, unit] = scaled(bytes, 1024, kBinary);
  return `${number} ${unit}`;
}

export function formatBytesPerSecond(rate: number): string {
  return `${formatBytes(rate)}/s`;
}

// As findings say it, and as models are measured: 13.9 GB.
export function formatDecimalBytes(bytes: number): string {
  const [number, unit] = scaled(bytes, 1000, kDecimal);
  return `${number} ${unit}B`;
}

// Links and allowances are sold in decimal bits.
export function formatBitsPerSecond(bits: number): string {
  const [number, unit] = scaled(bits, 1000, kDecimal);
  return `${number} ${unit}bit/s`;
}

export function formatMicroseconds(us: number): string {
  if (us < 1000) return `${digits(us)} µs`;
  if (us < 1e6) return `${digits(us / 1000)} ms`;
  if (us < 120e6) return `${digits(us / 1e6)} s`;
  return formatDuration(us / 1000);
}

// 90 s, 5 min, 3 h 20 min, 2 d 4 h: two parts at most.
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

// Exact up to five digits, then 123 k.
export function formatCount(count: number): string {
  if (Math.abs(count) < 1e5) {
    return Number.isInteger(count) ? count.toLocaleString('en') : digits(count);
  }
  const [number, unit] = scaled(count, 1000, kDecimal);
  return `${number} ${unit}`;
}

export function formatPercent(percent: number): string {
  if (percent === 0) return '0 %';
  if (Math.abs(percent) < 0.01) return '<0.01 %';
  return `${digits(percent)} %`;
}

export function formatUnit(value: number | null | undefined, unit: string): Shown {
  if (value === null || value === undefined || Number.isNaN(value)) return kUnknown;
  const exact = value.toLocaleString('en', { maximumFractionDigits: 3 });
  switch (unit) {
    case 'bytes': return { text: formatBytes(value), title: `${exact} bytes` };
    case 'bytes/s': return { text: formatBytesPerSecond(value), title: `${exact} bytes per second` };
    case 'B': return { text: formatDecimalBytes(value), title: `${exact} bytes` };
    case 'bit/s': return { text: formatBitsPerSecond(value), title: `${exact} bits per second` };
    case 's': return { text: formatMicroseconds(value * 1e6), title: `${exact} s` };
    case 'us': return { text: formatMicroseconds(value), title: `${exact} µs` };
    case 'ms': return { text: formatMicroseconds(value * 1000), title: `${exact} ms` };
    case '%': return { text: formatPercent(value), title: `${exact} %` };
    case 'USD': return { text: value < 0.01 && value > 0 ? '< $0.01' : `$${value.toFixed(2)}`, title: `${exact} USD` };
    case 'nUSD': return { ...formatUnit(value / 1e9, 'USD'), title: `${exact} billionths of a US dollar` };
    case '': return { text: String(value), title: exact };
    default: return { text: unit.endsWith('/s') ? `${formatCount(value)} /s` : formatCount(value), title: `${exact} ${unit}` };
  }
}

// What stands beside a column's name when the name does not say it; such cells carry no unit of their own.
export function headerUnit(name: string, unit: string): string {
  if (!['connections', 'segments', 'samples', 'events'].includes(unit) || name.includes(unit)) return '';
  return unit === 'connections' ? 'conn.' : unit === 'segments' ? 'seg.' : unit;
}

export function unitName(unit: string): string {
  return unit === 'us' ? 'microseconds' : unit === 'ms' ? 'milliseconds' : unit === '%' ? 'percent' : unit;
}
