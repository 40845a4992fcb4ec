// The drawer beside the map: the problems when nothing is picked, else everything about one edge or one thing.
import { askSeries } from '../../data/api';
import { useQuestion } from '../../data/query';
import { effectiveRange, navigate, useStore } from '../../data/store';
import type { MapEdge, MapNode } from '../../data/types';
import { edgeFilter, nodeFilter } from '../../domain/filter_edit';
import type { Graph, GraphEdge, GraphNode } from '../../domain/graph';
import { byUrgency, kFailureCauses, kHealthNames } from '../../domain/health';
import { plural, shortContainer, visible } from '../../domain/text';
import { formatBytesPerSecond, formatUnit } from '../../domain/units';
import { Chart } from '../../widgets/chart';
import { Icon } from '../../widgets/icons';

function close(): void {
  navigate({ selected: '' }, 'replace');
}

function openFlows(filter: string): void {
  navigate({ view: 'flows', filter, groupBy: [], live: false });
}

function Head({ title, note }: { title: string; note: string }) {
  return (
    <div class="drawer-head">
      <div class="grow"><h2>{visible(title)}</h2><div class="muted">{visible(note)}</div></div>
      <button type="button" class="button plain icon" aria-label="Close" title="Close (Esc)" onClick={close}><Icon name="close" /></button>
    </div>
  );
}

function SmallChart({ filter, columns, title }: { filter: string; columns: string[]; title: string }) {
  const range = effectiveRange({ since: useStore((s) => s.since), until: useStore((s) => s.until), live: useStore((s) => s.live) });
  const asked = useQuestion(`series ${filter} ${columns.join()} ${range.since} ${range.until}`, (signal) => askSeries({ ...range, filter, columns }, signal));
  const height = 'drawer-chart';
  return (
    <section>
      <h3>{title}</h3>
      <div class={height}>
        {asked.data && asked.data.series.length > 0 && <Chart answer={asked.data} kind="lines" perSecond label={title} />}
        {asked.data && asked.data.series.length === 0 && <div class="chart-empty">nothing was measured</div>}
        {!asked.data && !asked.error && <div class="skeleton chart" />}
        {!asked.data && asked.error && <div class="chart-empty">{asked.error.message}</div>}
      </div>
      {columns.length > 1 && (
        <div class="faint chart-keys"><span><span class="chart-key s1" />to server</span><span><span class="chart-key s2" />to client</span></div>
      )}
    </section>
  );
}

function Value({ value, unit }: { value: number | null; unit: string }) {
  const shown = formatUnit(value, unit);
  return <span title={shown.title}>{shown.text}{unit === 'connections' && value !== null ? <span class="faint"> conn</span> : ''}</span>;
}

function EdgeFacts({ edge, seconds }: { edge: MapEdge; seconds: number }) {
  const rate = (bytes: number) => <Value value={bytes / Math.max(1, seconds)} unit="bytes/s" />;
  return (
    <section>
      <table class="facts">
        <thead><tr><th>Payload</th><th>total</th><th>rate</th></tr></thead>
        <tbody>
          <tr><th>client → server</th><td><Value value={edge.bytes_to_server} unit="bytes" /></td><td>{rate(edge.bytes_to_server)}</td></tr>
          <tr><th>server → client</th><td><Value value={edge.bytes_to_client} unit="bytes" /></td><td>{rate(edge.bytes_to_client)}</td></tr>
        </tbody>
      </table>
      <table class="facts facts-more">
        <tbody>
          <tr><th>Connections opened</th><td><Value value={edge.connections_opened} unit="connections" /></td></tr>
          <tr><th>Handshake, average</th><td><Value value={edge.connect_avg_us} unit="us" /></td></tr>
          <tr><th>RTT, average</th><td><Value value={edge.rtt_avg_us} unit="us" /></td></tr>
          <tr><th>RTT, 99th percentile</th><td><Value value={edge.rtt_p99_us} unit="us" /></td></tr>
          <tr><th>Retransmitted</th><td class={edge.retransmits > 0 ? '' : 'faint'}><Value value={edge.retransmit_percent} unit="%" /> <span class="faint">{plural(edge.retransmits, 'segment')}</span></td></tr>
          <tr><th>Reset by the peer</th><td><Value value={edge.closed_reset} unit="connections" /></td></tr>
        </tbody>
      </table>
    </section>
  );
}

function Failures({ edge }: { edge: MapEdge }) {
  if (edge.connections_failed === 0) return null;
  const attempts = edge.connections_failed + edge.connections_opened;
  return (
    <section>
      <h3>Failed attempts: {plural(edge.connections_failed, 'connection')} of {attempts.toLocaleString('en')}</h3>
      <table class="facts">
        <tbody>
          {kFailureCauses.filter(({ field }) => (edge[field] as number) > 0).map(({ field, label, help }) => (
            <tr key={label} title={help}><th>{label} <span class="faint">{help}</span></th><td class="bad"><Value value={edge[field] as number} unit="connections" /></td></tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const kReporters: Readonly<Record<string, string>> = {
  both: 'seen from both ends', client: 'seen from the client’s end only', server: 'seen from the server’s end only',
};

function EdgePanel({ edge, graph, seconds }: { edge: GraphEdge; graph: Graph; seconds: number }) {
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
      <Head title={`${client.title} → ${server.title}`} note={`${kHealthNames[total.health]} · ${kReporters[total.reported_by] ?? ''}`} />
      <div class="drawer-body scrollable">
        {total.reasons.length > 0 && <section><ul class={`reasons ${total.health}`}>{total.reasons.map((r) => <li key={r}>{visible(r)}</li>)}</ul></section>}
        <section class="actions">
          <button type="button" class="button primary" onClick={() => openFlows(flows)}>Open these flows</button>
          <span class="ports" title="Ports of the server">{total.ports.slice(0, 8).map((port) => <span key={port} class="badge">port {port}</span>)}{total.ports.length > 8 && <span class="badge">+{total.ports.length - 8}</span>}</span>
        </section>
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

function identity(node: GraphNode): [string, string][] {
  const [member] = node.members;
  if (!member || node.members.length > 1) return [['Members', String(node.members.length)]];
  return ([
    ['Container', shortContainer(member.container)], ['Unit', member.unit], ['Node', member.node],
    ['Addresses', member.addresses.slice(0, 6).join(', ')], ['Agent', member.external ? 'none: only its peers report' : ''],
  ] as [string, string][]).filter(([, value]) => value !== '');
}

function NodePanel({ node, graph }: { node: GraphNode; graph: Graph }) {
  const filter = useStore((s) => s.filter);
  const [member] = node.members;
  const edges = graph.edges.filter((e) => e.client === node.id || e.server === node.id).sort((a, b) => byUrgency(a.total, b.total));
  const group = graph.groups.find((g) => g.id === node.groupId);
  const flows = member && node.members.length === 1 ? nodeFilter(filter, member) : filter;
  const list = (mine: 'client' | 'server', title: string) => {
    const own = edges.filter((e) => e[mine] === node.id);
    return own.length > 0 && (
      <section>
        <h3>{title} · {own.length}</h3>
        {own.slice(0, 30).map((edge) => <EdgeButton key={edge.id} edge={edge} other={graph.nodes.get(mine === 'client' ? edge.server : edge.client)} />)}
      </section>
    );
  };
  return (
    <>
      <Head title={node.title} note={group && group.label !== node.title ? group.label : kHealthNames[node.health]} />
      <div class="drawer-body scrollable">
        {node.members.length === 1 && <section class="actions"><button type="button" class="button primary" onClick={() => openFlows(flows)}>Open its flows</button></section>}
        <section><table class="facts"><tbody>{identity(node).map(([label, value]) => <tr key={label}><th>{label}</th><td class="wrap">{visible(value)}</td></tr>)}</tbody></table></section>
        {list('client', 'Talks to')}
        {list('server', 'Serves')}
      </div>
    </>
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

function ProblemList({ graph }: { graph: Graph }) {
  const problems = graph.edges.filter((e) => e.total.health !== 'ok').sort((a, b) => byUrgency(a.total, b.total));
  const name = (id: string) => visible(graph.nodes.get(id)?.title ?? '');
  const members = [...graph.nodes.values()].reduce((sum, node) => sum + node.members.length, 0);
  const size = `${plural(members, 'thing')}, ${plural(graph.edges.length, 'edge')}`;
  return (
    <>
      <div class="drawer-head"><div class="grow"><h2>{problems.length === 0 ? 'No problems' : plural(problems.length, 'problem')}</h2>
        <div class="muted">{problems.length === 0 ? size : `worst first · ${size}`}</div></div></div>
      <div class="drawer-body flush scrollable">
        {problems.slice(0, 200).map((edge) => (
          <button key={edge.id} type="button" class={`problem ${edge.total.health}`} onClick={() => navigate({ selected: `edge ${edge.id}` }, 'replace')}>
            <span class="mark" />
            <span class="who ellipsis">{name(edge.client)} <span class="faint">→</span> {name(edge.server)} <span class="faint">{edge.total.ports.slice(0, 2).map((p) => `:${p}`).join(' ')}</span></span>
            <span class="why">{edge.total.reasons.map(visible).join(' ') || kHealthNames[edge.total.health]}</span>
          </button>
        ))}
      </div>
    </>
  );
}

function Gone() {
  return (
    <>
      <Head title="Not in this range" note="" />
      <div class="drawer-body"><p class="muted">What was selected has no traffic in the chosen time, or the filter leaves it out.</p></div>
    </>
  );
}

export function MapPanel({ graph, selected, seconds }: { graph: Graph; selected: string; seconds: number }) {
  const [kind, id] = [selected.split(' ', 1)[0], selected.slice(selected.indexOf(' ') + 1)];
  const edge = kind === 'edge' ? graph.edges.find((e) => e.id === id || e.parts.some((part) => part.id === id)) : undefined;
  const node = kind === 'node' ? graph.nodes.get(id) : undefined;
  return (
    <aside class="drawer" aria-label="Details">
      {edge ? <EdgePanel key={edge.id} edge={edge} graph={graph} seconds={seconds} />
        : node ? <NodePanel key={node.id} node={node} graph={graph} />
          : selected !== '' ? <Gone /> : <ProblemList graph={graph} />}
    </aside>
  );
}
