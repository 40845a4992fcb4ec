// Everything about one thing: who it is, whom it talks to, whom it serves.
import type { Finding } from '../../data/findings';
import { navigate, useStore } from '../../data/store';
import { nodeFilter } from '../../domain/filter_edit';
import type { Graph, GraphEdge, GraphNode } from '../../domain/graph';
import { byUrgency, kHealthNames } from '../../domain/health';
import { classLabel, kLevels, levelBelow, nameSource } from '../../domain/levels';
import { shortContainer, visible } from '../../domain/text';
import { formatBytesPerSecond } from '../../domain/units';
import { FindingList } from '../../widgets/finding_badge';
import { Icon } from '../../widgets/icons';
import { DrawerHead, openFlows } from './drawer_head';
import { stepInto } from './step';

function identity(node: GraphNode): [string, string][] {
  const [member] = node.members;
  if (!member || node.members.length > 1) return [['Members', String(node.members.length)]];
  const outside = member.cloud_service !== '' ? classLabel(member.cloud_service) : '';
  const spread = member.zones.length > 0 ? member.zones : member.zone === '' ? [] : [member.zone];
  return ([
    ['Cluster', member.cluster], ['Kubernetes namespace', member.namespace], [member.workload_kind || 'Workload', member.workload], ['Pod', member.pod],
    ['Service', member.service], ['Container name', member.container_name], ['Class', outside], ['Product', member.external_service],
    [spread.length > 1 ? 'Zones' : 'Zone', spread.join(', ')], ['Region', member.region],
    ['Works for', member.on_behalf_of.join(', ') + (member.shared > 1 ? ` (shared by ${member.shared} pods)` : '')],
    ['Container', shortContainer(member.container)], ['Network namespace', member.netns_name || (member.netns === 0 ? '' : String(member.netns))], ['Unit', member.unit], ['Node', member.node],
    ['Addresses', member.addresses.slice(0, 6).join(', ')], ['Known by', member.name_source === '' || member.name_source === 'agent' ? '' : nameSource(member.name_source)],
    ['Agent', member.external ? 'none: only its peers report' : ''],
  ] as [string, string][]).filter(([, value]) => value !== '');
}

export function NodePanel({ node, graph, findings, level }: { node: GraphNode; graph: Graph; findings: readonly Finding[]; level: string }) {
  const filter = useStore((s) => s.filter);
  const [member] = node.members;
  const edges = graph.edges.filter((e) => e.client === node.id || e.server === node.id).sort((a, b) => byUrgency(a.total, b.total));
  const group = graph.groups.find((g) => g.id === node.groupId);
  const below = member && kLevels.find((l) => l.id === levelBelow(member, level));
  const flows = member && node.members.length === 1 ? nodeFilter(filter, member) : filter;
  return (
    <>
      <DrawerHead title={node.title} note={group && group.label !== node.title ? group.label : kHealthNames[node.health]} />
      <div class="drawer-body scrollable">
        {node.members.length === 1 && <section class="actions"><button type="button" class="button primary" onClick={() => openFlows(flows)}>Open its flows</button>
          {member && below !== undefined && <button type="button" class="button" title="Double click, or Shift-Enter on it, does the same" onClick={() => stepInto(member, level)}><Icon name="into" />Step into: {below.label.toLowerCase()}</button>}
        </section>}
        <FindingList findings={findings} />
        <section><table class="facts"><tbody>{identity(node).map(([label, value]) => <tr key={label}><th>{label}</th><td class="wrap">{visible(value)}</td></tr>)}</tbody></table></section>
        <EdgeList node={node} mine="client" title="Talks to" edges={edges} graph={graph} />
        <EdgeList node={node} mine="server" title="Serves" edges={edges} graph={graph} />
      </div>
    </>
  );
}

// The edges in which the node plays one part, `mine`; none, no section.
function EdgeList({ node, mine, title, edges, graph }: {
  node: GraphNode; mine: 'client' | 'server'; title: string; edges: readonly GraphEdge[]; graph: Graph;
}) {
  const own = edges.filter((e) => e[mine] === node.id);
  if (own.length === 0) return null;
  return (
    <section>
      <h3>{title} · {own.length}</h3>
      {own.slice(0, 30).map((edge) => <EdgeButton key={edge.id} edge={edge} other={graph.nodes.get(mine === 'client' ? edge.server : edge.client)} />)}
    </section>
  );
}

function EdgeButton({ edge, other }: { edge: GraphEdge; other: GraphNode | undefined }) {
  const { total } = edge;
  const figure = total.bytes_per_second > 0 ? formatBytesPerSecond(total.bytes_per_second) : `${total.connections_failed} failed`;
  return (
    <button type="button" class="peer" onClick={() => navigate({ selected: `edge ${edge.id}` }, 'replace')}>
      <span class={`grow ellipsis ${total.health === 'ok' ? '' : total.health}`}>{visible(other?.title ?? '')} <span class="faint">{total.ports.slice(0, 3).map((p) => `:${p}`).join(' ')}</span></span>
      <span class={total.health === 'ok' ? 'muted' : total.health}>{figure}</span>
    </button>
  );
}
