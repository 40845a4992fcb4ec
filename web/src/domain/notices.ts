// Why an answer may be incomplete: agents that fell silent, probes that are off, losses, things left out.
import { isMissing } from './probes';
import type { StatusAnswer } from '../data/types';
import { plural } from './text';

export interface Notice {
  id: string;
  text: string;
  detail: string;
}

export function statusNotices(status: StatusAnswer | undefined): Notice[] {
  if (!status) return [];
  const notices: Notice[] = [];
  const stale = status.agents.filter((agent) => agent.stale);
  if (stale.length > 0) {
    notices.push({
      id: 'stale', text: stale.length === 1 ? `agent ${stale[0]?.node} is silent` : `${stale.length} agents are silent`,
      detail: `Their side of the flows is missing: ${stale.map((agent) => agent.node).join(', ')}.`,
    });
  }
  const limited = status.agents.filter((agent) => !agent.stale && agent.probes.some(isMissing));
  if (limited.length > 0) {
    const names = [...new Set(limited.flatMap((agent) => agent.probes.filter(isMissing).map((p) => p.name)))];
    notices.push({
      id: 'probes', text: names.length === 1 ? `probe ${names[0]} is off on ${plural(limited.length, 'node')}` : `${names.length} probes are off`,
      detail: `${names.join(', ')} on ${limited.map((agent) => agent.node).join(', ')}. Status says why.`,
    });
  }
  if (status.losses > 0) {
    notices.push({ id: 'losses', text: plural(status.losses, 'record was lost', 'records were lost'), detail: 'Counted since start. Status says where and what to do.' });
  }
  return notices;
}

export function leftOut(count: number, what: string, remedy: string): Notice[] {
  if (count <= 0) return [];
  return [{ id: `left out ${what}`, text: `${plural(count, what)} left out`, detail: remedy }];
}
