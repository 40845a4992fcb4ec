// Findings for people: which comes first, how sure, whom they are about on the map and in the table.
import type { Finding, Severity, Stretch, Subject } from '../data/findings';
import type { FlowRow, MapEdge, MapNode } from '../data/types';

const kSeverities: readonly Severity[] = ['info', 'minor', 'major', 'critical'];
const kConfidences: readonly string[] = ['silent', 'low', 'medium', 'high'];

export function severityRank(finding: Pick<Finding, 'severity'>): number {
  return kSeverities.indexOf(finding.severity);
}

export function isTrouble(finding: Pick<Finding, 'severity'>): boolean {
  return severityRank(finding) > 0;
}

// To work through: what goes on before what is over, the worse, the surer, the later.
export function byUrgencyOfFinding(a: Finding, b: Finding): number {
  return Number(b.state === 'open') - Number(a.state === 'open') || severityRank(b) - severityRank(a)
    || kConfidences.indexOf(b.confidence) - kConfidences.indexOf(a.confidence) || Date.parse(b.start) - Date.parse(a.start) || (a.id < b.id ? -1 : 1);
}

// The colour of a mark: red from major on, amber for minor, none for what is merely worth knowing.
export function severityClass(severity: Severity): '' | 'warn' | 'bad' {
  return severity === 'critical' || severity === 'major' ? 'bad' : severity === 'minor' ? 'warn' : '';
}

export const kClosedBecause: Readonly<Record<string, string>> = {
  clean: 'its condition no longer holds', no_data: 'readings stopped, so its end is unknown', done: 'it was done',
};

function sameWorkload(subject: Subject, namespace: string, workload: string): boolean {
  return workload !== '' && subject.workload === workload && (subject.namespace ?? '') === namespace;
}

interface End {
  kind: string;
  cluster: string;
  namespace: string;
  workload: string;
  pod: string;
  process: string;
  node: string;
  external_name: string;
  addresses: readonly string[];
}

// Whether a thing is what the subject means, or holds it: a namespace holds its pods, a node its processes.
function isAbout(subject: Subject, end: End): boolean {
  if (subject.cluster !== undefined && end.cluster !== '' && subject.cluster !== end.cluster) return false;
  const namespace = subject.namespace ?? '';
  switch (subject.kind) {
    case 'pod':
      if (end.pod !== '') return end.pod === subject.pod && end.namespace === namespace;
      return end.workload !== '' ? sameWorkload(subject, end.namespace, end.workload)
        : end.kind === 'namespace' ? end.namespace === namespace : end.kind === 'host' && end.node !== '' && end.node === subject.node;
    case 'workload':
      return end.workload !== '' ? sameWorkload(subject, end.namespace, end.workload) : end.kind === 'namespace' && end.namespace === namespace;
    case 'process':
      if (end.process !== '') return end.process === subject.process && (subject.node === undefined || end.node === subject.node);
      return end.kind === 'host' && end.node !== '' && end.node === subject.node;
    case 'node': case 'interface': return end.kind === 'host' && end.node !== '' && end.node === subject.node;
    case 'service': return end.kind === 'service' && end.namespace === namespace;
    case 'external': return subject.name !== undefined && (end.external_name === subject.name || (end.external_name === '' && end.addresses.includes(subject.name)));
    default: return false;
  }
}

function endOfNode(node: MapNode): End {
  return { ...node, process: node.kind === 'process' ? node.name : '' };
}

export function aboutNode(findings: readonly Finding[], node: MapNode): Finding[] {
  const end = endOfNode(node);
  const service = node.service.slice(node.service.lastIndexOf('/') + 1);
  return findings.filter((finding) => isTrouble(finding) && (isAbout(finding.subject, end) && (finding.subject.kind !== 'service' || finding.subject.name === service)));
}

// Findings about a pair belong to its edge.
export function aboutEdge(findings: readonly Finding[], edge: Pick<MapEdge, 'client' | 'server'>, nodes: { get(id: string): { members: MapNode[] } | undefined }): Finding[] {
  const ends = [edge.client, edge.server].map((id) => (nodes.get(id)?.members ?? []).map(endOfNode));
  const [clients = [], servers = []] = ends;
  return findings.filter(({ subject, peer, severity }) => {
    if (peer === undefined || !isTrouble({ severity })) return false;
    const meets = (a: Subject, b: Subject) => clients.some((end) => isAbout(a, end)) && servers.some((end) => isAbout(b, end));
    return meets(subject, peer) || meets(peer, subject);
  });
}

// Of one end of a row of the flow table: what concerns that very end, not all of its machine.
export function aboutRowEnd(findings: readonly Finding[], row: FlowRow, side: 'client' | 'server'): Finding[] {
  const part = (name: string) => { const value = row[`${side}_${name}`]; return typeof value === 'string' ? value : ''; };
  const end: End = {
    kind: 'row', cluster: part('cluster'), namespace: part('namespace'), workload: part('workload'), pod: part('pod'), process: part('process'), node: part('node'),
    external_name: part('external_name'), addresses: [part('address')],
  };
  return findings.filter((finding) => isTrouble(finding) && isAbout(finding.subject, end));
}

export function worstSeverity(findings: readonly Finding[]): Severity {
  return findings.reduce<Severity>((worst, finding) => (severityRank(finding) > kSeverities.indexOf(worst) ? finding.severity : worst), 'info');
}

// --- the indicator ---

export type IndicatorState = 'healthy' | 'degraded' | 'unknown';

export function indicatorState(value: number | null | undefined): IndicatorState {
  return value === 1 ? 'degraded' : value === 0 ? 'healthy' : 'unknown';
}

export interface Band {
  from: number;   // share of the range, 0 to 1
  to: number;
  state: IndicatorState;
  stretch: Stretch;
}

// Stretches as parts of the range, neighbours of one state joined unless time is missing between them.
export function bandsOf(stretches: readonly Stretch[], sinceMs: number, untilMs: number, gapMs = 45_000): Band[] {
  const span = untilMs - sinceMs;
  const bands: (Band & { endMs: number })[] = [];
  for (const stretch of [...stretches].sort((a, b) => Date.parse(a.start) - Date.parse(b.start))) {
    const [start, end] = [Math.max(sinceMs, Date.parse(stretch.start)), Math.min(untilMs, Date.parse(stretch.end))];
    if (!(end > start) || span <= 0) continue;
    const state = indicatorState(stretch.value);
    const last = bands[bands.length - 1];
    if (last && last.state === state && start - last.endMs <= gapMs) {
      last.to = (end - sinceMs) / span;
      last.endMs = end;
      last.stretch = stretch;
    } else {
      bands.push({ from: (start - sinceMs) / span, to: (end - sinceMs) / span, state, stretch, endMs: end });
    }
  }
  return bands.map(({ endMs: _, ...band }) => band);
}
