// Health: findings to work through on the left; on the right the chosen one, or the indicator over time.
import { useEffect, useState } from 'preact/hooks';
import { askFindings, askHealth, useFindings, useRange, type Finding } from '../../data/findings';
import { useQuestion } from '../../data/query';
import { navigate, setRange, useStore } from '../../data/store';
import { byUrgencyOfFinding, severityRank } from '../../domain/findings';
import { plural, visible } from '../../domain/text';
import { ago, formatClock, formatTime } from '../../domain/time';
import { formatDuration } from '../../domain/units';
import { Confidence, SeverityMark } from '../../widgets/finding_badge';
import { Icon } from '../../widgets/icons';
import { ErrorLine, ErrorState } from '../../widgets/states';
import { FindingDetail } from './finding_detail';
import { Indicator } from './indicator';

export interface Choice {
  state: 'all' | 'open';
  detector: string;      // "" = all
  confidence: 'low' | 'medium' | 'high';
  events: boolean;       // what is merely worth knowing too
}

const kConfidences = ['low', 'medium', 'high'] as const;

export function chosen(findings: readonly Finding[], choice: Choice): Finding[] {
  const least = kConfidences.indexOf(choice.confidence);
  return findings.filter((finding) => (choice.state === 'all' || finding.state === 'open') && (choice.detector === '' || finding.detector === choice.detector)
    && kConfidences.indexOf(finding.confidence as 'low') >= least && (choice.events || severityRank(finding) > 0)).sort(byUrgencyOfFinding);
}

function Bar({ all, shown, choice, onChoice, judged }: { all: readonly Finding[]; shown: number; choice: Choice; onChoice: (choice: Choice) => void; judged: string | null | undefined }) {
  const detectors = [...new Map(all.map((finding) => [finding.detector, finding.title]))].sort((a, b) => (a[1] < b[1] ? -1 : 1));
  const open = all.filter((finding) => finding.state === 'open' && severityRank(finding) > 0).length;
  return (
    <div class="map-bar">
      <span class="joined" role="group" aria-label="State">
        <button type="button" class="button" aria-pressed={choice.state === 'all'} onClick={() => onChoice({ ...choice, state: 'all' })}>All</button>
        <button type="button" class="button" aria-pressed={choice.state === 'open'} onClick={() => onChoice({ ...choice, state: 'open' })}>Going on{open > 0 && <span class="badge bad">{open}</span>}</button>
      </span>
      <label class="labelled">Kind
        <select class="field" aria-label="Kind" value={choice.detector} onChange={(e) => onChoice({ ...choice, detector: e.currentTarget.value })}>
          <option value="">every kind</option>
          {detectors.map(([name, title]) => <option key={name} value={name}>{title}</option>)}
        </select>
      </label>
      <label class="labelled">At least
        <select class="field" aria-label="Confidence" value={choice.confidence} onChange={(e) => onChoice({ ...choice, confidence: e.currentTarget.value as Choice['confidence'] })}>
          {kConfidences.map((level) => <option key={level} value={level}>{level} confidence</option>)}
        </select>
      </label>
      <label class="labelled"><input type="checkbox" checked={choice.events} onChange={() => onChoice({ ...choice, events: !choice.events })} /><span>Events too (model loads)</span></label>
      <span class="grow" />
      <span class="muted">{plural(shown, 'finding')} of {all.length}</span>
      {judged && <span class="faint" title={formatTime(Date.parse(judged))}>judged {ago(Date.parse(judged), Date.now())}</span>}
    </div>
  );
}

function span(finding: Finding): string {
  const [start, end] = [Date.parse(finding.start), Date.parse(finding.end)];
  const today = new Date(start).toDateString() === new Date().toDateString();
  const from = today ? formatClock(start) : formatTime(start).slice(5, 16);
  return finding.state === 'open' ? `since ${from}` : `${from}, ${formatDuration(end - start)}`;
}

function Card({ finding, picked }: { finding: Finding; picked: boolean }) {
  return (
    <button type="button" class={`finding-card ${picked ? 'picked' : ''}`} data-card={finding.id} aria-pressed={picked} onClick={() => navigate({ selected: picked ? '' : finding.id }, 'replace')}>
      <span class="card-head"><SeverityMark finding={finding} /><b>{finding.title}</b><span class="ellipsis muted">{visible(finding.subject.title)}</span></span>
      <span class="card-verdict">{visible(finding.verdict)}</span>
      <span class="card-foot faint"><span>{span(finding)}</span><Confidence finding={finding} /></span>
    </button>
  );
}

function NoFindings({ any, choice, onAll }: { any: boolean; choice: Choice; onAll: () => void }) {
  const since = useStore((s) => s.since);
  return (
    <div class="state" data-state="empty" data-reason={any ? 'choice' : 'no_findings'}>
      <span class={`state-mark ${any ? '' : 'ok'}`}><Icon name={any ? 'empty' : 'check'} /></span>
      <h2>{any ? 'None that you chose to see' : 'No findings in this range'}</h2>
      <p>{any ? `There are findings of other kinds, surer or less sure than ${choice.confidence}.` : 'Detectors judged what was measured and found nothing to tell. What agents do not measure cannot be found: Status says what is missing.'}</p>
      <div class="actions">
        {any ? <button type="button" class="button primary" onClick={onAll}>Show all of them</button>
          : since !== '1w' && <button type="button" class="button primary" onClick={() => setRange({ since: '1w', until: 'now' })}>Look at the last week</button>}
      </div>
    </div>
  );
}

// A link to a finding shows it whatever the range is.
function useSelected(id: string, known: readonly Finding[]) {
  const here = known.find((finding) => finding.id === id);
  const asked = useQuestion(id !== '' && !here ? `finding ${id}` : null, (signal) => askFindings({ since: '24h', until: 'now', id }, signal), { refreshMs: 0 });
  return { finding: here ?? (id === '' ? undefined : asked.data?.findings.find((finding) => finding.id === id)), error: here || id === '' ? undefined : asked.error };
}

function usePickByKey(list: readonly Finding[], selected: string): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const step = event.key === 'j' ? 1 : event.key === 'k' ? -1 : 0;
      if (step === 0 || event.ctrlKey || event.metaKey || event.altKey || (event.target as HTMLElement).matches('input, select, textarea')) return;
      const next = list[Math.max(0, Math.min(list.length - 1, list.findIndex((finding) => finding.id === selected) + step))];
      if (!next) return;
      navigate({ selected: next.id }, 'replace');
      document.querySelector(`[data-card="${CSS.escape(next.id)}"]`)?.scrollIntoView({ block: 'nearest' });
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [list, selected]);
}

export function HealthView() {
  const range = useRange();
  const selected = useStore((s) => s.selected);
  const [choice, setChoice] = useState<Choice>({ state: 'all', detector: '', confidence: 'low', events: false });
  const asked = useFindings(1000);
  const health = useQuestion(`health ${JSON.stringify(range)}`, (signal) => askHealth(range, signal));
  const all = asked.data?.findings ?? [];
  const list = chosen(all, choice);
  const { finding, error } = useSelected(selected, all);
  usePickByKey(list, selected);
  if (asked.error && !asked.data) return <ErrorState error={asked.error} />;
  return (
    <>
      {asked.loading && asked.data && <div class="progress" />}
      <Bar all={all} shown={list.length} choice={choice} onChoice={setChoice} judged={asked.data?.judged} />
      {asked.error && <ErrorLine error={asked.error} />}
      <div class="health-body" data-view="health">
        <div class="finding-cards scrollable" aria-label="Findings">
          {!asked.data ? <div class="table-skeleton" data-state="loading">{Array.from({ length: 8 }, (_, i) => <div key={i} class="skeleton" />)}</div>
            : list.length === 0 ? <NoFindings any={all.length > 0} choice={choice} onAll={() => setChoice({ state: 'all', detector: '', confidence: 'low', events: true })} />
              : list.map((one) => <Card key={one.id} finding={one} picked={one.id === selected} />)}
          {asked.data && !asked.data.complete && <p class="muted card-note">There are more; choose a shorter time.</p>}
        </div>
        <div class="health-main">
          {finding ? <FindingDetail key={finding.id} finding={finding} all={all} />
            : error ? <ErrorState error={error} />
              : health.data ? <div class="scrollable indicator-page"><Indicator answer={health.data} /></div>
                : health.error ? <ErrorState error={health.error} /> : <div class="table-skeleton" data-state="loading"><div class="skeleton" /></div>}
        </div>
      </div>
    </>
  );
}
