// One finding: what, who, when, how sure; by what evidence; what else it could be; what to do; and where to look.
import type { Finding, Involved, Subject } from '../../data/findings';
import { navigate } from '../../data/store';
import { kClosedBecause, severityClass } from '../../domain/findings';
import { visible } from '../../domain/text';
import { absoluteRange, formatClock, formatTime } from '../../domain/time';
import { formatDuration } from '../../domain/units';
import { Confidence, SeverityMark } from '../../widgets/finding_badge';
import { Icon } from '../../widgets/icons';
import { EvidenceItem } from './evidence';
import { StartSteps } from './start_steps';

const kMarginMs = 60_000;

export function timeAround(finding: Pick<Finding, 'start' | 'end'>) {
  return absoluteRange(Date.parse(finding.start) - kMarginMs, Math.min(Date.now(), Date.parse(finding.end) + kMarginMs));
}

// The map's level at which the subject is a thing of its own.
const kMapLevel: Readonly<Record<string, 'pod' | 'workload' | 'node' | 'service' | 'zone' | 'process'>> = {
  pod: 'pod', workload: 'workload', node: 'node', interface: 'node', service: 'service', zone_pair: 'zone', process: 'process', external: 'workload',
};

function SubjectLinks({ subject, finding }: { subject: Subject; finding: Finding }) {
  const look = { filter: subject.filter, namespaces: [], live: false, selected: '', ...timeAround(finding) };
  return (
    <span class="subject">
      <b>{visible(subject.title)}</b>
      <button type="button" class="button plain small" onClick={() => navigate({ ...look, view: 'map', level: kMapLevel[subject.kind] ?? 'auto', onlyProblems: false })}>Map</button>
      <button type="button" class="button plain small" onClick={() => navigate({ ...look, view: 'flows', preset: '', groupBy: [] })}>Flows</button>
      {subject.kind === 'node' && subject.node && <button type="button" class="button plain small" onClick={() => navigate({ view: 'nodes', selected: subject.node ?? '', live: false, ...timeAround(finding) })}>Node</button>}
    </span>
  );
}

function Share({ share }: { share: number }) {
  const fill = (element: HTMLDivElement | null) => { if (element) element.style.width = `${Math.min(100, Math.max(0, share * 100))}%`; };
  return <div class="meter"><div ref={fill} /></div>;
}

function InvolvedList({ heading, list, finding, asShare }: { heading: string; list: readonly Involved[]; finding: Finding; asShare: boolean }) {
  if (list.length === 0) return null;
  return (
    <section>
      <h3>{heading}</h3>
      <ul class="involved">
        {list.slice(0, 20).map((one) => (
          <li key={one.subject.reference || one.subject.title}>
            <div class="involved-line"><SubjectLinks subject={one.subject} finding={finding} /><span class="muted">{visible(one.sentence)}</span></div>
            {asShare && one.share > 0 && <Share share={one.share} />}
          </li>
        ))}
      </ul>
      {list.length > 20 && <p class="muted">and {list.length - 20} more</p>}
    </section>
  );
}

export function When({ finding }: { finding: Finding }) {
  const [start, end] = [Date.parse(finding.start), Date.parse(finding.end)];
  const lasted = formatDuration(end - start);
  return (
    <span title={`${finding.start} to ${finding.end}`}>
      {formatTime(start)} – {finding.state === 'open' ? 'now' : formatClock(end)} <span class="muted">({lasted}{finding.state === 'open' ? ' so far' : kClosedBecause[finding.closed_because] ? `; ${kClosedBecause[finding.closed_because]}` : ''})</span>
    </span>
  );
}

function Related({ finding, all }: { finding: Finding; all: readonly Finding[] }) {
  const known = finding.related.map((id) => all.find((other) => other.id === id)).filter((other): other is Finding => other !== undefined);
  if (known.length === 0) return null;
  return (
    <section>
      <h3>Related</h3>
      {known.map((other) => (
        <button key={other.id} type="button" class="peer finding-line" onClick={() => navigate({ selected: other.id })}><SeverityMark finding={other} /><span class="grow">{visible(other.verdict)}</span></button>
      ))}
    </section>
  );
}

export function FindingDetail({ finding, all }: { finding: Finding; all: readonly Finding[] }) {
  // The evidence that says most is drawn at once; the rest on demand.
  const evidence = [...finding.evidence].sort((a, b) => b.points - a.points);
  const drawn = new Set(evidence.filter((one) => one.reference).slice(0, 2));
  return (
    <article class="finding-detail scrollable" aria-label="Finding" data-finding={finding.id}>
      <header>
        <div class="finding-kind"><SeverityMark finding={finding} /><span class={severityClass(finding.severity)}>{finding.severity}</span><span class="muted">{finding.title}</span>
          <span class={`badge ${finding.state === 'open' ? 'bad' : ''}`}>{finding.state === 'open' ? 'goes on' : 'over'}</span><Confidence finding={finding} />
          <span class="grow" /><button type="button" class="button plain icon" aria-label="Close" title="Close (Esc)" onClick={() => navigate({ selected: '' }, 'replace')}><Icon name="close" /></button>
        </div>
        <h2>{visible(finding.verdict)}</h2>
      </header>
      {finding.advice !== '' && <p class="advice"><b>What to do</b> {visible(finding.advice)}</p>}
      <table class="facts finding-facts"><tbody>
        <tr><th>Who</th><td><SubjectLinks subject={finding.subject} finding={finding} />{finding.peer && <> <span class="faint">and</span> <SubjectLinks subject={finding.peer} finding={finding} /></>}</td></tr>
        <tr><th>When</th><td><When finding={finding} /></td></tr>
        {finding.node !== '' && finding.subject.kind !== 'node' && <tr><th>Node</th><td><button type="button" class="button plain small" onClick={() => navigate({ view: 'nodes', selected: finding.node, live: false, ...timeAround(finding) })}>{visible(finding.node)}</button></td></tr>}
      </tbody></table>
      <InvolvedList heading="Cause" list={finding.culprits} finding={finding} asShare />
      <InvolvedList heading="Suffers" list={finding.victims} finding={finding} asShare={false} />
      {finding.steps && <StartSteps steps={finding.steps} />}
      <section>
        <h3>Evidence <span class="faint">{Math.round(finding.points)} points</span></h3>
        {evidence.length === 0 ? <p class="muted">None was kept.</p> : <ul class="evidence-list">{evidence.map((one) => <EvidenceItem key={`${finding.id} ${one.name} ${one.sentence}`} evidence={one} open={drawn.has(one)} />)}</ul>}
      </section>
      <section>
        <h3>Not excluded</h3>
        {finding.not_excluded.length === 0 ? <p class="muted">The detector named nothing that it could not exclude.</p> : <ul class="not-excluded">{finding.not_excluded.map((text) => <li key={text}>{visible(text)}</li>)}</ul>}
      </section>
      <Related finding={finding} all={all} />
      <footer class="faint">
        Finding <span class="mono">{finding.id}</span>, detector <span class="mono">{finding.detector}{finding.kind === '' ? '' : ` (${visible(finding.kind)})`}</span>; in a terminal: <span class="mono">weir why {finding.id}</span>
      </footer>
    </article>
  );
}
