// Series of one node: its rate against what it may carry, and any signal by name.
import { askNodeSeries, useRange, type NodeFacts } from '../../data/findings';
import { useQuestion } from '../../data/query';
import { setRange } from '../../data/store';
import type { SeriesAnswer } from '../../data/types';
import { visible } from '../../domain/text';
import { absoluteRange } from '../../domain/time';
import { Chart } from '../../widgets/chart';
import { capacityMarks } from '../inference/load_detail';
import { nodeSeriesAnswer } from '../health/series';

// What the node's hardware carried; of virtual interfaces the same bytes would count again.
export function mainInterface(node: NodeFacts): string | undefined {
  const own = node.interfaces.filter((one) => one.own);
  const hardware = own.filter((one) => one.hardware);
  const [busiest] = [...(hardware.length > 0 ? hardware : own)].sort((a, b) => b.rx_bytes + b.tx_bytes - a.rx_bytes - a.tx_bytes);
  return busiest?.name;
}

async function askRates(node: string, subject: string, range: { since: string; until: string }, signal: AbortSignal): Promise<SeriesAnswer> {
  const ask = (name: string) => askNodeSeries({ ...range, node, signal: name, subject }, signal);
  const [rx, tx] = await Promise.all([ask('interface.rx_bytes'), ask('interface.tx_bytes')]);
  const bits = (values: readonly (number | null)[]) => values.map((v) => (v === null ? null : (v * 8 * 1000) / rx.step_ms));
  const column = (name: string) => ({ name, type: 'float' as const, kind: 'derived' as const, unit: 'bit/s', help: name });
  return {
    range: rx.range, resolution: 'raw', elapsed_ms: 0, step_ms: rx.step_ms, times: rx.times, groups_left_out: 0,
    columns: [column('received'), column('sent')], series: [{ group: {}, values: { received: bits(rx.values), sent: bits(tx.values).slice(0, rx.times.length) } }],
  };
}

export function RateChart({ node }: { node: NodeFacts }) {
  const range = useRange();
  const subject = mainInterface(node);
  const asked = useQuestion(subject === undefined ? null : JSON.stringify(['rate', node.node, subject, range]), (signal) => askRates(node.node, subject ?? '', range, signal));
  const capacity = node.capacity ?? undefined;
  const marks = capacity ? capacityMarks(capacity.baseline_bits, capacity.peak_bits) : [];
  return (
    <section>
      <h3>Rate of {subject === undefined ? 'its interfaces' : visible(subject)} <span class="chart-keys-inline faint"><span class="chart-key s1" />received <span class="chart-key s2" />sent</span></h3>
      <div class="chart-box tall" title="Drag over a time to see who used it">
        {subject === undefined ? <div class="chart-empty">no interface was read in this range</div>
          : asked.data ? <Chart answer={asked.data} kind="lines" label={`Rate of ${node.node}`} marks={marks} onBrush={(a, b) => { if (b - a >= 1000) setRange(absoluteRange(a, b)); }} />
            : asked.error ? <div class="chart-empty">{asked.error.message}</div> : <div class="skeleton chart" />}
      </div>
      <p class="faint">{capacity ? `What it may carry: by ${capacity.source}.` : 'What it may carry is unknown: neither its labels, the configuration nor the table of instances says it.'}</p>
    </section>
  );
}

export function SignalChart({ node, signal, subject }: { node: string; signal: string; subject: string }) {
  const range = useRange();
  const asked = useQuestion(JSON.stringify(['signal', node, signal, subject, range]), (abort) => askNodeSeries({ ...range, node, signal, subject: subject === '' ? '*' : subject }, abort));
  return (
    <div class="chart-box">
      {asked.data ? <Chart answer={nodeSeriesAnswer(asked.data)} kind="bars" perSecond label={signal} />
        : asked.error ? <div class="chart-empty">{asked.error.message}</div> : <div class="skeleton chart" />}
    </div>
  );
}
