// Everything about one edge.
import type { Finding } from '../../data/findings';
import { navigate, useStore } from '../../data/store';
import type { MapNode } from '../../data/types';
import { edgeFilter } from '../../domain/filter_edit';
import type { Graph, GraphEdge, GraphNode } from '../../domain/graph';
import { byUrgency, kHealthNames } from '../../domain/health';
import { visible } from '../../domain/text';
import { FindingList } from '../../widgets/finding_badge';
import { Zones } from './zones';
import { DrawerHead, openFlows } from './drawer_head';
import { EdgeFacts, Failures, SmallChart } from './edge_facts';

const kReporters: Readonly<Record<string, string>> = {
  both: 'seen from both ends', client: 'seen from the client’s end only', server: 'seen from the server’s end only',
};

export function EdgePanel({ edge, graph, findings, seconds }: { edge: GraphEdge; graph: Graph; findings: readonly Finding[]; seconds: number }) {
  const filter = useStore((s) => s.filter);
  const [client, server] = [graph.nodes.get(edge.client), graph.nodes.get(edge.server)];
  const [from, to] = [client?.members[0], server?.members[0]];
  if (!client || !server || !from || !to) return null;
  const { total } = edge;
  // A folded row stands for many ends, which no short filter can name: open the worst of them.
  const exact = client.members.length === 1 && server.members.length === 1;
  const [ends] = exact ? [[from, to] as const] : [worstEnds(edge, client, server)];
  const flows = edgeFilter(filter, ends[0], ends[1]);
  return (
    <>
      <DrawerHead title={`${client.title} → ${server.title}`} note={`${kHealthNames[total.health]} · ${kReporters[total.reported_by] ?? ''}`} />
      <div class="drawer-body scrollable">
        {total.reasons.length > 0 && <section><ul class={`reasons ${total.health}`}>{total.reasons.map((r) => <li key={r}>{visible(r)}</li>)}</ul></section>}
        <section class="actions">
          <button type="button" class="button primary" onClick={() => openFlows(flows)}>Open these flows</button>
          <span class="ports" title="Ports of the server">{total.ports.slice(0, 8).map((port) => <span key={port} class="badge">port {port}</span>)}{total.services.slice(0, 4).map((name) => <span key={name} class="badge" title="Kubernetes service the client asked for">service {visible(name)}</span>)}{total.ports.length > 8 && <span class="badge">+{total.ports.length - 8}</span>}</span>
        </section>
        <FindingList findings={findings} />
        <Zones edge={total} />
        <EdgeFacts edge={total} seconds={seconds} />
        <Failures edge={total} />
        {total.bytes_per_second > 0
          ? <SmallChart filter={flows} columns={['bytes_to_server', 'bytes_to_client']} title="Bytes per second" />
          : <SmallChart filter={flows} columns={['connections_failed']} title="Failed connections per second" />}
        <section>
          <h3>Ends</h3>
          <Peer label="client" node={client} /><Peer label="server" node={server} />
        </section>
      </div>
    </>
  );
}

function worstEnds(edge: GraphEdge, client: GraphNode, server: GraphNode): readonly [MapNode, MapNode] {
  const [worst] = [...edge.parts].sort(byUrgency);
  const find = (node: GraphNode, id: string | undefined) => node.members.find((m) => m.id === id) ?? (node.members[0] as MapNode);
  return [find(client, worst?.client), find(server, worst?.server)];
}

function Peer({ label, node }: { label: string; node: GraphNode }) {
  return (
    <button type="button" class="peer" onClick={() => navigate({ selected: `node ${node.id}` }, 'replace')}>
      <span class="faint">{label}</span><span class="grow ellipsis">{visible(node.title)}</span>
      <span class="muted">{node.members[0]?.addresses[0] ?? ''}</span>
    </button>
  );
}
