// What a thing on the map is: from a process up to a cluster. Which level lies below another, for stepping into one.
import type { MapNode } from '../data/types';
import type { IconName } from '../widgets/icons';
import { either, quote } from './filter_edit';
import { conjuncts } from './filter_syntax';

export type Level = 'auto' | 'process' | 'container' | 'pod' | 'workload' | 'namespace' | 'node' | 'zone' | 'cluster' | 'service';

export const kLevels: readonly { id: Level; label: string; help: string }[] = [
  { id: 'auto', label: 'Auto', help: 'The highest level that tells something: namespaces in a cluster, processes on plain hosts' },
  { id: 'cluster', label: 'Clusters', help: 'Kubernetes clusters' },
  { id: 'zone', label: 'Zones', help: 'Availability zones' },
  { id: 'node', label: 'Nodes', help: 'Machines' },
  { id: 'namespace', label: 'Namespaces', help: 'Kubernetes namespaces' },
  { id: 'service', label: 'Services', help: 'Kubernetes services that were asked, by their clients’ workloads' },
  { id: 'workload', label: 'Workloads', help: 'Deployments, StatefulSets, jobs and other owners of pods' },
  { id: 'pod', label: 'Pods', help: 'Pods' },
  { id: 'container', label: 'Containers', help: 'Containers, units and network namespaces' },
  { id: 'process', label: 'Processes', help: 'Processes in their containers' },
];

const kBelow: Readonly<Partial<Record<MapNode['kind'], Level>>> = {
  cluster: 'namespace', zone: 'node', namespace: 'workload', service: 'workload', workload: 'pod', pod: 'process', container: 'process',
  netns: 'process',
};

// The level at which what is inside the node can be seen; undefined where nothing is.
export function levelBelow(node: MapNode, level: string): Level | undefined {
  if (node.external) return undefined;
  if (node.kind === 'host') return level === 'process' ? undefined : 'pod';
  return kBelow[node.kind];
}

// A condition that one stepped into, as the trail above the map shows it.
export interface Step {
  index: number;    // of the conjunct
  kind: string;     // namespace, workload, ...
  name: string;
  inside: Level;    // the level to look at it
}

const kInside: Readonly<Record<string, Level>> = {
  cluster: 'namespace', zone: 'node', node: 'pod', namespace: 'workload', server_service: 'workload', workload: 'pod', pod: 'process', container: 'process',
};

const kValue = '("(?:[^"\\\\]|\\\\.)*"|\'[^\']*\'|[^\\s()\'"]+)';
const kOwned = new RegExp(`^\\(\\(client_namespace = ${kValue} and client_(workload|pod) = ${kValue}\\) or \\(server_namespace = \\1 and server_\\2 = \\3\\)\\)$`);

function unquote(text: string): string {
  return /^["']/.test(text) ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
}

// A thing with a namespace is told by both names, at either end; others by one.
export function stepCondition(node: MapNode): string | undefined {
  const owned = node.kind === 'workload' || node.kind === 'pod' ? node[node.kind] : '';
  if (owned !== '') {
    const end = (side: string) => `(${side}_namespace = ${quote(node.namespace)} and ${side}_${node.kind} = ${quote(owned)})`;
    return `(${end('client')} or ${end('server')})`;
  }
  const single: Readonly<Partial<Record<MapNode['kind'], [string, string]>>> = {
    cluster: ['cluster', node.cluster], zone: ['zone', node.zone || node.name], namespace: ['namespace', node.namespace], host: ['node', node.node],
    service: ['server_service', node.service.slice(node.service.lastIndexOf('/') + 1)], container: ['container', node.container],
  };
  const [field, value] = single[node.kind] ?? ['', ''];
  if (value !== '') return `${field} = ${quote(value)}`;
  const { client, server } = node.filters;
  const sides = [client, server].filter((text) => text !== '').map((text) => (text.includes(' and ') ? `(${text})` : text));
  return sides.length === 0 ? undefined : either(sides);
}

export function stepsOf(filter: string): Step[] {
  return (conjuncts(filter) ?? []).flatMap((part, index): Step[] => {
    const owned = kOwned.exec(part.text);
    if (owned) {
      const [, namespace = '', kind = '', name = ''] = owned;
      return [{ index, kind, name: `${unquote(namespace)}/${unquote(name)}`, inside: kInside[kind] ?? 'pod' }];
    }
    const inside = part.field === undefined || part.operator !== '=' || part.negated ? undefined : kInside[part.field];
    if (inside === undefined || part.field === undefined) return [];
    const value = /=\s*(.*)$/s.exec(part.text)?.[1] ?? '';
    return [{ index, kind: part.field === 'server_service' ? 'service' : part.field, name: unquote(value.trim()), inside }];
  });
}

// The filter without what was stepped into after the first `kept` steps.
export function withoutSteps(filter: string, kept: number): string {
  const gone = new Set(stepsOf(filter).slice(kept).map((step) => step.index));
  return (conjuncts(filter) ?? []).filter((_, index) => !gone.has(index)).map((part) => part.text).join(' and ');
}

// --- what stands outside ---

export const kServiceClasses: Readonly<Record<string, { label: string; icon: IconName }>> = {
  object_store: { label: 'object store', icon: 'bucket' }, file_store: { label: 'file store', icon: 'bucket' },
  registry: { label: 'image registry', icon: 'layers' }, package_index: { label: 'package index', icon: 'layers' },
  model_hub: { label: 'model hub', icon: 'model' }, ai_api: { label: 'AI API', icon: 'model' },
  source_code: { label: 'source code', icon: 'code' }, database: { label: 'database', icon: 'database' },
  cache: { label: 'cache', icon: 'database' }, queue: { label: 'queue', icon: 'queue' },
};

export function glyphOf(node: MapNode): IconName | undefined {
  if (node.kind === 'internet') return 'internet';
  if (!node.external) return undefined;
  if (node.cloud_service !== '') return kServiceClasses[node.cloud_service]?.icon ?? 'cloud';
  return node.kind === 'external' || node.kind === 'cloud_service' ? 'outside' : undefined;
}

export function classLabel(cloudService: string): string {
  return kServiceClasses[cloudService]?.label ?? cloudService.replace(/_/g, ' ');
}

const kSources: Readonly<Record<string, string>> = {
  agent: 'the agent on its node', cluster: 'the Kubernetes API', dns: 'a DNS answer its client received', sni: 'the name asked for in TLS',
  prefix: 'the cloud’s published address ranges', suffix: 'the ending of its name', label: 'an address rule of the server’s', geo: 'the GeoIP file',
};

export function nameSource(source: string): string {
  return kSources[source] ?? source;
}
