// Nodes: every machine with its rate against what it may carry, what it hit; beside it everything about one of them.
import { useEffect } from 'preact/hooks';
import { askNodes, useFindings, useRange, type NodeFacts } from '../../data/findings';
import { useQuestion } from '../../data/query';
import { navigate, showView, useStore } from '../../data/store';
import { isTrouble } from '../../domain/findings';
import { plural, visible } from '../../domain/text';
import { formatPercent, formatUnit } from '../../domain/units';
import { FindingCount } from '../../widgets/finding_badge';
import { Icon } from '../../widgets/icons';
import { ErrorLine, ErrorState } from '../../widgets/states';
import { NodeDetail } from './node_detail';

// Share of the baseline that the busier direction takes now; null where either is unknown.
export function baselineShare(node: NodeFacts): number | null {
  const baseline = node.capacity?.baseline_bits ?? 0;
  const rates = [node.rx_bytes_per_second, node.tx_bytes_per_second].filter((rate): rate is number => rate !== null);
  return baseline <= 0 || rates.length === 0 ? null : (Math.max(...rates) * 8) / baseline;
}

function hits(node: NodeFacts): number {
  return node.limits.filter((limit) => limit.count > 0 && limit.scope !== 'cgroup').length;
}

// What needs attention first: limits hit, then silent ones, then the busiest.
export function byTrouble(a: NodeFacts, b: NodeFacts): number {
  return hits(b) - hits(a) || Number(b.stale) - Number(a.stale) || (baselineShare(b) ?? 0) - (baselineShare(a) ?? 0) || (a.node < b.node ? -1 : 1);
}

function Meter({ share }: { share: number | null }) {
  const fill = (element: HTMLDivElement | null) => { if (element) element.style.width = `${Math.min(100, Math.max(0, (share ?? 0) * 100))}%`; };
  return share === null ? null : <div class={`meter ${share >= 0.8 ? 'hot' : ''}`} role="meter" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)}><div ref={fill} /></div>;
}

function rate(bytes: number | null): { text: string; title: string } {
  return formatUnit(bytes === null ? null : bytes * 8, 'bit/s');
}

function Card({ node, picked, findings }: { node: NodeFacts; picked: boolean; findings: Parameters<typeof FindingCount>[0]['findings'] }) {
  const [rx, tx, share] = [rate(node.rx_bytes_per_second), rate(node.tx_bytes_per_second), baselineShare(node)];
  const count = hits(node);
  return (
    <button type="button" class={`finding-card ${picked ? 'picked' : ''}`} data-node-card={node.node} aria-pressed={picked} onClick={() => navigate({ selected: node.node }, 'replace')}>
      <span class="card-head"><b>{visible(node.node)}</b>{node.stale && <span class="badge warn">silent</span>}<span class="grow" /><FindingCount findings={findings} /></span>
      <span class="card-rates"><span title={rx.title}>↓ {rx.text}</span><span title={tx.title}>↑ {tx.text}</span><span class="grow" /><span class="faint">{share === null ? 'share unknown' : `${formatPercent(share * 100)} of baseline`}</span></span>
      <Meter share={share} />
      <span class="card-foot"><span class={count > 0 ? 'bad' : 'faint'}>{count > 0 ? `${plural(count, 'limit')} hit: ${[...new Set(node.limits.filter((l) => l.count > 0).map((l) => l.limit))].slice(0, 2).join(', ')}` : 'no limit hit'}</span>
        {node.throttled.length > 0 && <span class="warn">{plural(node.throttled.length, 'group')} throttled</span>}</span>
    </button>
  );
}

export function NodesView() {
  const range = useRange();
  const selected = useStore((s) => s.selected);
  const asked = useQuestion(`nodes ${JSON.stringify(range)}`, (signal) => askNodes({ ...range }, signal));
  const findings = useFindings(1000).data?.findings ?? [];
  const nodes = [...(asked.data?.nodes ?? [])].sort(byTrouble);
  const node = nodes.find((one) => one.node === selected) ?? nodes[0];
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const step = event.key === 'j' ? 1 : event.key === 'k' ? -1 : 0;
      if (step === 0 || (event.target as HTMLElement).matches('input, select, textarea')) return;
      const next = nodes[Math.max(0, Math.min(nodes.length - 1, nodes.findIndex((one) => one.node === node?.node) + step))];
      if (next) navigate({ selected: next.node }, 'replace');
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [nodes.map((one) => one.node).join(), node?.node]);
  const of = (name: string) => findings.filter((finding) => isTrouble(finding) && (finding.node === name || (finding.subject.kind === 'node' && finding.subject.node === name)));
  if (asked.error && !asked.data) return <ErrorState error={asked.error} />;
  return (
    <>
      {asked.loading && asked.data && <div class="progress" />}
      {asked.error && <ErrorLine error={asked.error} />}
      <div class="health-body" data-view="nodes">
        {asked.data && nodes.length === 0
          ? (
            <div class="state grow" data-state="empty" data-reason="no_nodes">
              <span class="state-mark"><Icon name="empty" /></span><h2>No node was read in this range</h2>
              <p>Agents read interfaces, queues and limits of their nodes every second. Either none reported then, or reading them is off.</p>
              <div class="actions"><button type="button" class="button primary" onClick={() => showView('status')}>Open Status</button></div>
            </div>
          ) : (
            <>
              <div class="finding-cards narrow scrollable" aria-label="Nodes">
                {!asked.data ? <div class="table-skeleton" data-state="loading">{Array.from({ length: 6 }, (_, i) => <div key={i} class="skeleton" />)}</div>
                  : nodes.map((one) => <Card key={one.node} node={one} picked={one.node === node?.node} findings={of(one.node)} />)}
              </div>
              <div class="health-main">{node && <NodeDetail key={node.node} node={node} findings={of(node.node)} />}</div>
            </>
          )}
      </div>
    </>
  );
}
