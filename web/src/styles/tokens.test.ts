// Contrast after WCAG 2.2: text 4.5:1, marks and edges 3:1 on every surface they stand on, in both themes.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const kCss = readFileSync('src/styles/tokens.css', 'utf8');

function tokens(block: string): Record<string, string> {
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1] as string, m[2] as string]));
}

const kLight = tokens(/:root \{([^}]*)\}/.exec(kCss)?.[1] ?? '');
const kDarkSystem = tokens(/:root:not\(\[data-theme="light"\]\) \{([^}]*)\}/.exec(kCss)?.[1] ?? '');
const kDarkChosen = tokens(/:root\[data-theme="dark"\] \{([^}]*)\}/.exec(kCss)?.[1] ?? '');

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m) as [number, number];
  return (x + 0.05) / (y + 0.05);
}

test('the dark theme is the same by system and by switch', () => {
  expect(Object.keys(kDarkSystem).length).toBeGreaterThan(20);
  expect(kDarkChosen).toEqual(kDarkSystem);
});

test('both themes define the same colours', () => {
  expect(Object.keys(kDarkSystem).sort()).toEqual(Object.keys(kLight).sort());
});

describe.each([['light', kLight], ['dark', kDarkSystem]])('%s', (_, theme) => {
  const color = (name: string) => theme[name] ?? '';
  const surfaces = ['bg', 'surface', 'raised', 'sunken', 'hover'];
  const text = ['text', 'text-2', 'text-3', 'accent-text', 'ok', 'warn', 'bad', 'zone'];
  test.each(text.flatMap((t) => surfaces.map((s) => [t, s])))('%s on %s', (t, s) => {
    expect(contrast(color(t), color(s))).toBeGreaterThanOrEqual(4.5);
  });
  test.each([['warn', 'warn-bg'], ['bad', 'bad-bg'], ['accent-text', 'selected'], ['text', 'selected'], ['on-accent', 'accent']])('%s on %s', (t, s) => {
    expect(contrast(color(t), color(s))).toBeGreaterThanOrEqual(4.5);
  });
  test.each(['edge', 'warn-mark', 'bad-mark', 'accent', 'series-1', 'series-2', 'focus'])('mark %s', (mark) => {
    expect(contrast(color(mark), color('bg'))).toBeGreaterThanOrEqual(3);
  });
});
