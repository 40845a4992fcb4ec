// What the health of an edge means, and which comes first.
import type { Health, MapEdge } from '../data/types';

const kOrder: Readonly<Record<Health, number>> = { failed: 3, bad: 2, warn: 1, ok: 0 };

export const kHealthNames: Readonly<Record<Health, string>> = {
  ok: 'healthy', warn: 'suspicious', bad: 'bad', failed: 'only failures',
};

export function severity(health: Health): number {
  return kOrder[health] ?? 0;
}

export function worst(healths: Iterable<Health>): Health {
  let found: Health = 'ok';
  for (const health of healths) if (severity(health) > severity(found)) found = health;
  return found;
}

// Worst first; among equals the one that hurts more connections, then more bytes.
export function byUrgency(a: MapEdge, b: MapEdge): number {
  return severity(b.health) - severity(a.health)
    || b.connections_failed - a.connections_failed
    || b.retransmits - a.retransmits
    || b.bytes_per_second - a.bytes_per_second;
}

export const kFailureCauses: readonly { field: keyof MapEdge; label: string; help: string }[] = [
  { field: 'failed_refused', label: 'refused', help: 'answered by a reset: nothing listens there' },
  { field: 'failed_timed_out', label: 'timed out', help: 'no answer to any SYN: dropped on the way, or the host is gone' },
  { field: 'failed_unreachable', label: 'unreachable', help: 'refused by ICMP, or there is no route' },
  { field: 'failed_abandoned', label: 'abandoned', help: 'the application gave up before the kernel did' },
  { field: 'failed_no_port', label: 'no port', help: 'no local port was left' },
  { field: 'failed_other', label: 'other', help: 'for example a local firewall' },
];
