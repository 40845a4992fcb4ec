// One load: how fast against what the node may receive, what limited it, who suffered, how earlier ones went.
import { askSeries } from '../../data/api';
import type { Finding, Load } from '../../data/findings';
import { useQuestion } from '../../data/query';
import { navigate } from '../../data/store';
import type { SeriesAnswer } from '../../data/types';
import { classLabel } from '../../domain/levels';
import { plural, visible } from '../../domain/text';
import { absoluteRange, formatTime } from '../../domain/time';
import { formatPercent, formatUnit } from '../../domain/units';
import { Chart, type Mark } from '../../widgets/chart';
import { openFinding } from '../../widgets/finding_badge';
import { Icon } from '../../widgets/icons';
import { When } from '../health/finding_detail';
import { StartSteps } from '../health/start_steps';
import { PhaseBar, PhaseList } from './phases';

// "41 %", or that it is not known.
export function share(part: number | null | undefined): { text: string; title: string } {
  return part === null || part === undefined ? { text: '–', title: 'unknown: what the node may receive is not known' } : { text: formatPercent(100 * part), title: `${(100 * part).toFixed(2)} %` };
}

export function known(value: number, unit: string) {
  return value > 0 ? formatUnit(value, unit) : { text: '–', title: 'unknown' };
}

// Bytes of a step as bits per second.
export function inBits(answer: SeriesAnswer, column: string, label: string): SeriesAnswer {
  const values = answer.series[0]?.values[column] ?? [];
  return {
    ...answer, columns: [{ name: label, type: 'float', kind: 'derived', unit: 'bit/s', help: label }],
    series: answer.series.length === 0 ? [] : [{ group: {}, values: { [label]: values.map((v) => (v === null ? null : (v * 8 * 1000) / answer.step_ms)) } }],
  };
}

export function capacityMarks(baseline: number, peak: number): Mark[] {
  return [...(baseline > 0 ? [{ value: baseline, label: `baseline ${formatUnit(baseline, 'bit/s').text}` }] : []),
    ...(peak > 0 && peak !== baseline ? [{ value: peak, label: `peak ${formatUnit(peak, 'bit/s').text}` }] : [])];
}

function RateChart({ load }: { load: Load }) {
  const margin = 15_000;
  const range = absoluteRange(Date.parse(load.start) - margin, Math.min(Date.now(), Date.parse(load.end) + margin));
  const from = load.load.source.kind === 'external' && load.load.source.filter !== '' ? ` and ${load.load.source.filter}` : '';
  const filter = `${(load.load.helper ?? load.subject).filter || 'bytes >= 0'}${from}`;
  const asked = useQuestion(JSON.stringify(['load', load.id, range]), (signal) => askSeries({ ...range, filter, columns: ['bytes_to_client'], filterGroupBy: [] }, signal), { refreshMs: 0 });
  const answer = asked.data && inBits(asked.data, 'bytes_to_client', 'received');
  return (
    <section>
      <h3>Received from the source</h3>
      <div class="chart-box tall">
        {answer && answer.series.length > 0 && <Chart answer={answer} kind="bars" label="Bits per second received" marks={capacityMarks(load.load.baseline_bits, load.load.peak_bits)} />}
        {answer && answer.series.length === 0 && <div class="chart-empty">the flows of that time are no longer stored in seconds</div>}
        {!answer && asked.error && <div class="chart-empty">{asked.error.message}</div>}
        {!answer && !asked.error && <div class="skeleton chart" />}
      </div>
    </section>
  );
}

function Facts({ load }: { load: Load }) {
  const facts = load.load;
  const rows: [string, { text: string; title: string }, string?][] = [
    ['Bytes', formatUnit(facts.bytes, 'B')], ['Time', formatUnit(facts.wall_s, 's')], ['Rate, mean', known(facts.mean_bits, 'bit/s')], ['Rate, 95th percentile of seconds', known(facts.p95_bits, 'bit/s')],
    ['Highest step of 10 ms', known(facts.peak_10ms_bits, 'bit/s')],
    ['Share of baseline', share(facts.baseline_share), facts.baseline_bits > 0 ? `of ${formatUnit(facts.baseline_bits, 'bit/s').text}, by ${facts.capacity_source}` : 'what the node may always receive is unknown'],
    ['Share of peak', share(facts.peak_share), facts.peak_bits > 0 ? `of ${formatUnit(facts.peak_bits, 'bit/s').text}` : ''],
    ['Connections at once', formatUnit(facts.connections, 'connections')], ['Late segments', formatUnit(facts.late_segments, 'segments')], ['Others on the node received', formatUnit(facts.others_bytes, 'B')],
    ['Share of the start', facts.startup_s > 0 ? share(facts.startup_share) : { text: '–', title: 'unknown: when the pod was created or became ready is not known' }, facts.startup_s > 0 ? `of ${formatUnit(facts.startup_s, 's').text} until ready` : ''],
  ];
  return (
    <table class="facts"><tbody>
      {rows.map(([label, shown, note]) => <tr key={label}><th>{label}{note && <span class="faint"> {visible(note)}</span>}</th><td title={shown.title}>{shown.text}</td></tr>)}
    </tbody></table>
  );
}

export function sameOwner(a: Load, b: Load): boolean {
  const owner = ({ subject }: Load) => (subject.workload ? `${subject.namespace}/${subject.workload}` : subject.reference);
  return owner(a) === owner(b);
}

function Earlier({ load, all }: { load: Load; all: readonly Load[] }) {
  const before = all.filter((other) => other.id !== load.id && sameOwner(other, load) && Date.parse(other.start) < Date.parse(load.start)).slice(0, 10);
  const { earlier_loads: count, earlier_median_s: median, wall_s } = load.load;
  const ratio = median > 0 ? wall_s / median : null;
  return (
    <section data-section="earlier">
      <h3>Earlier loads of its owner</h3>
      {count === 0 ? <p class="muted">None of like size is known, so there is nothing to compare with.</p>
        : <p class={ratio !== null && ratio >= 1.25 ? 'warn' : 'muted'}>{ratio === null ? '' : `${ratio.toFixed(2)} × the median of ${plural(count, 'earlier load')} (${formatUnit(median, 's').text}).`}</p>}
      {before.length > 0 && (
        <table class="facts"><tbody>
          {before.map((other) => (
            <tr key={other.id}><th><button type="button" class="link" onClick={() => navigate({ selected: other.id }, 'replace')}>{formatTime(Date.parse(other.start))}</button> <span class="faint">{visible(other.subject.pod ?? other.subject.title)}</span></th>
              <td>{formatUnit(other.load.bytes, 'B').text}</td><td>{formatUnit(other.load.wall_s, 's').text}</td><td>{known(other.load.mean_bits, 'bit/s').text}</td></tr>
          ))}
        </tbody></table>
      )}
    </section>
  );
}

function Effects({ load, findings }: { load: Load; findings: readonly Finding[] }) {
  const breaches = findings.filter((finding) => load.breaches.includes(finding.id));
  if (breaches.length === 0) return <section><h3>Effect on others</h3><p class="muted">No breach of the node’s bandwidth was found in that time.</p></section>;
  return (
    <section data-section="effects">
      <h3>Effect on others</h3>
      {breaches.map((finding) => (
        <div key={finding.id} class="effect">
          <button type="button" class="link" onClick={() => openFinding(finding.id)}>{visible(finding.verdict)}</button>
          {finding.culprits.length > 0 && <p><b>Cause</b> {finding.culprits.map((one) => `${visible(one.subject.title)}: ${visible(one.sentence)}`).join('; ')}</p>}
          {finding.victims.length > 0 && <p><b>Suffers</b> {finding.victims.map((one) => `${visible(one.subject.title)}: ${visible(one.sentence)}`).join('; ')}</p>}
        </div>
      ))}
    </section>
  );
}

export function LoadDetail({ load, all, findings }: { load: Load; all: readonly Load[]; findings: readonly Finding[] }) {
  const start = findings.find((finding) => load.starts.includes(finding.id) && finding.steps);
  const facts = load.load;
  return (
    <article class="load-detail" data-load={load.id} aria-label="Load">
      <header>
        <div class="finding-kind"><span class="badge">{facts.kind.replace(/_/g, ' ')}</span>{facts.shared && <span class="badge" title="A helper loaded for several workloads">shared</span>}<span class="muted"><When finding={load} /></span><span class="grow" />
          <button type="button" class="button small" onClick={() => openFinding(load.id)}>As a finding<Icon name="right" /></button></div>
        <h2>{visible(load.subject.title)} <span class="faint">from</span> {visible(facts.source.title)} <span class="muted">{classLabel(facts.remote_class)}</span></h2>
        {facts.helper && <p class="muted">Carried by {visible(facts.helper.title)}.</p>}
        {facts.samples_missing && <p class="warn">Readings of the time are missing, so bytes and phases may be too.</p>}
      </header>
      <div class="load-columns">
        <div>
          <RateChart load={load} />
          <section><h3>What limited it</h3><PhaseBar phases={facts.phases} /><PhaseList phases={facts.phases} /></section>
          {start?.steps && <StartSteps steps={start.steps} />}
        </div>
        <div>
          <section><h3>The load</h3><Facts load={load} /></section>
          <Effects load={load} findings={findings} />
          <Earlier load={load} all={all} />
        </div>
      </div>
    </article>
  );
}
