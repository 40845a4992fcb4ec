// Small things about findings that several views share: marks, confidence, links to one.
import type { Finding } from '../data/findings';
import { navigate } from '../data/store';
import { severityClass, worstSeverity } from '../domain/findings';
import { plural, visible } from '../domain/text';

export function openFinding(id: string): void {
  navigate({ view: 'health', selected: id, live: false });
}

export function SeverityMark({ finding }: { finding: Pick<Finding, 'severity' | 'state'> }) {
  return <span class={`severity-mark ${severityClass(finding.severity)} ${finding.state}`} title={`${finding.severity}, ${finding.state === 'open' ? 'goes on' : 'over'}`} />;
}

export function Confidence({ finding }: { finding: Pick<Finding, 'confidence' | 'points'> }) {
  return (
    <span class={`confidence ${finding.confidence}`} title={`${Math.round(finding.points)} points of evidence; 30 is low, 50 medium, 80 high`}>
      <span class="bars" aria-hidden="true"><i /><i /><i /></span>{finding.confidence}
    </span>
  );
}

// One line per finding that concerns a thing, as in the map's drawer.
export function FindingList({ findings }: { findings: readonly Finding[] }) {
  if (findings.length === 0) return null;
  return (
    <section data-section="findings">
      <h3>{plural(findings.length, 'finding')}</h3>
      {findings.slice(0, 8).map((finding) => (
        <button key={finding.id} type="button" class="peer finding-line" onClick={() => openFinding(finding.id)}>
          <SeverityMark finding={finding} /><span class="grow">{visible(finding.verdict)}</span>
        </button>
      ))}
    </section>
  );
}

// In a cell: how many, in the colour of the worst; a click opens it.
export function FindingCount({ findings }: { findings: readonly Finding[] }) {
  const [first] = findings;
  if (!first) return null;
  const label = findings.map((finding) => `${finding.title}: ${visible(finding.verdict)}`).join('\n');
  return (
    <button type="button" class={`finding-count ${severityClass(worstSeverity(findings))}`} title={label} aria-label={plural(findings.length, 'finding')} tabIndex={-1}
      onClick={(e) => { e.stopPropagation(); openFinding(first.id); }}>{findings.length}</button>
  );
}
