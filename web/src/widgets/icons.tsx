// The few icons, drawn on a 16 × 16 grid as paths: no font, no file, no request.
const kPaths = {
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 0 1 0-9M10.5 10.5L14 14',
  close: 'M4 4l8 8M12 4l-8 8',
  left: 'M10 3L5 8l5 5',
  right: 'M6 3l5 5l-5 5',
  down: 'M3.5 6l4.5 4.500L12.5 6',
  up: 'M3.5 10L8 5.500L12.5 10',
  refresh: 'M13 8a5 5 0 1 1-1.5-3.600M13 2v3h-3',
  sun: 'M8 5.500a2.5 2.5 0 1 1 0 5a2.5 2.5 0 0 1 0-5M8 1.500v1.500M8 13v1.500M1.5 8h1.500M13 8h1.500M3.4 3.400l1 1M11.6 11.600l1 1M12.6 3.400l-1 1M4.4 11.600l-1 1',
  moon: 'M13 9.500A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.500z',
  system: 'M2 3h12v8H2zM6 14h4M8 11v3',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2.5 6V2.500H6M10 2.500h3.500V6M13.5 10v3.500H10M6 13.500H2.500V10',
  warning: 'M8 2L14.5 13.500H1.500zM8 6.500v3.500M8 11.700v.1',
  check: 'M3 8.500l3.5 3.500L13 4.5',
  columns: 'M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10',
  download: 'M8 2v8M4.8 7L8 10.200L11.2 7M2.5 13.500h11',
  pause: 'M5.5 3v10M10.5 3v10',
  play: 'M5 3l8 5l-8 5z',
  help: 'M8 1.800a6.2 6.2 0 1 1 0 12.400a6.2 6.2 0 0 1 0-12.400M6.2 6.300a1.8 1.8 0 1 1 2.6 1.700c-.6.3-.8.6-.8 1.200M8 11.300v.1',
  arrange: 'M2 3h4v4H2zM10 2h4v4h-4zM10 10h4v4h-4zM6 5h4M6 6l4 5',
  group: 'M2 3.500h12M5 8h9M5 12.500h9M2 8h.1M2 12.500h.1',
  empty: 'M2 9.500l2-6h8l2 6v3.500H2zM2 9.500h3.500l1 1.500h3l1-1.500H14',
  container: 'M2 5l6-3l6 3v6l-6 3l-6-3zM2 5l6 3l6-3M8 8v6',
  netns: 'M3 2.500h10v4H3zM8 6.500v3M3.5 13.500v-4h9v4M8 9.500v4',
  unit: 'M8 5.500a2.5 2.5 0 1 1 0 5a2.5 2.5 0 0 1 0-5M8 2v1.500M8 12.500V14M2 8h1.500M12.5 8H14M3.8 3.800l1 1M11.2 11.200l1 1M12.2 3.800l-1 1M4.8 11.200l-1 1',
  host: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.1M5 11h.1',
  internet: 'M8 2a6 6 0 1 1 0 12a6 6 0 0 1 0-12M2 8h12M8 2c2 1.7 2.7 3.7 2.7 6S10 12.3 8 14C6 12.3 5.3 10.3 5.3 8S6 3.7 8 2',
} as const;

export type IconName = keyof typeof kPaths;

export function iconPath(name: IconName): string {
  return kPaths[name];
}

export function Icon({ name }: { name: IconName }) {
  return <svg class="icon-svg" viewBox="0 0 16 16" aria-hidden="true"><path d={kPaths[name]} /></svg>;
}
