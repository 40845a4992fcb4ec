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
  bucket: 'M2.5 4c0-2.500 11-2.500 11 0s-11 2.500-11 0M2.5 4l1.7 9c.6 1.300 7 1.300 7.6 0l1.7-9',
  database: 'M3 4c0-2.300 10-2.300 10 0s-10 2.300-10 0M3 4v8c0 2.300 10 2.300 10 0V4M3 8c0 2.300 10 2.300 10 0',
  layers: 'M8 2l6 3l-6 3l-6-3zM2 8l6 3l6-3M2 11l6 3l6-3',
  model: 'M4 4h8v8H4zM6.5 6.500h3v3h-3zM6 1.500V4M10 1.500V4M6 12v2.500M10 12v2.500M1.5 6H4M1.5 10H4M12 6h2.500M12 10h2.500',
  code: 'M5.5 4L2 8l3.5 4M10.5 4L14 8l-3.5 4M9 3L7 13',
  queue: 'M2 5h3.5v6H2zM6.5 5h3v6h-3zM10.5 5H14v6h-3.5',
  cloud: 'M4.5 12.500a2.8 2.8 0 0 1-.3-5.600a4 4 0 0 1 7.700-.700a3.1 3.1 0 0 1-.4 6.300z',
  outside: 'M9 3h4v4M13 3L7.5 8.500M11.5 9.500v3.500h-8.500V4.500h3.500',
  pod: 'M8 1.800l5.5 3.100v6.200L8 14.200l-5.500-3.100V4.900zM8 5.500a2.5 2.5 0 1 1 0 5a2.5 2.5 0 0 1 0-5',
  workload: 'M5.5 2.500h8v8M2.5 5.500h8v8h-8z',
  namespace: 'M2 4h4.500l1.500 2h6v7H2z',
  zone: 'M8 14.200C4.500 10.500 3 8.300 3 6.300a5 5 0 0 1 10 0c0 2-1.500 4.200-5 7.900M8 4.500a1.8 1.8 0 1 1 0 3.600a1.8 1.8 0 0 1 0-3.600',
  service: 'M8 2.500a1.5 1.5 0 1 1 0 3a1.5 1.5 0 0 1 0-3M3.5 10.500a1.5 1.5 0 1 1 0 3a1.5 1.5 0 0 1 0-3M12.5 10.500a1.5 1.5 0 1 1 0 3a1.5 1.5 0 0 1 0-3M7.3 5.300L4.2 10.700M8.7 5.300l3.1 5.400',
  cluster: 'M8 1.500l6 3.300v6.400l-6 3.300l-6-3.300V4.800zM8 1.500v13M2 4.800l12 6.400M14 4.800L2 11.200',
  into: 'M2.5 8h7M6.5 5l3 3l-3 3M9.5 2.500h4v11h-4',
  up2: 'M8 13V4M4.5 7.500L8 4l3.5 3.500M3 2.500h10',
} as const;

export type IconName = keyof typeof kPaths;

export function iconPath(name: IconName): string {
  return kPaths[name];
}

export function Icon({ name }: { name: IconName }) {
  return <svg class="icon-svg" viewBox="0 0 16 16" aria-hidden="true"><path d={kPaths[name]} /></svg>;
}
