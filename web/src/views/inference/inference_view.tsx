// Inference: loads of models and images, what limited them and whom they hurt; below, how serving went.
import { useEffect } from 'preact/hooks';
import { askLoads, useFindings, useRange, type Load } from '../../data/findings';
import { useQuestion } from '../../data/query';
import { navigate, setRange, useStore } from '../../data/store';
import { classLabel } from '../../domain/levels';
import { plural, visible } from '../../domain/text';
import { formatTime } from '../../domain/time';
import { formatUnit } from '../../domain/units';
import { Icon } from '../../widgets/icons';
import { ErrorLine, ErrorState } from '../../widgets/states';
import { known, LoadDetail, share } from './load_detail';
import { PhaseBar } from './phases';
import { Serving } from './serving';

function LoadRow({ load, picked }: { load: Load; picked: boolean }) {
  const facts = load.load;
  const cells = [formatUnit(facts.bytes, 'B'), formatUnit(facts.wall_s, 's'), known(facts.mean_bits, 'bit/s'), share(facts.baseline_share), share(facts.peak_share)];
  const slower = facts.earlier_median_s > 0 ? facts.wall_s / facts.earlier_median_s : null;
  const choose = () => navigate({ selected: load.id }, 'replace');
  return (
    <tr class={`choosable ${picked ? 'picked' : ''}`} data-row={load.id} aria-selected={picked} onClick={choose}>
      <td class="nowrap"><button type="button" class="link" onClick={choose}>{formatTime(Date.parse(load.start)).slice(5)}</button>{load.state === 'open' && <span class="badge warn"> goes on</span>}</td>
      <td><b>{visible(load.subject.title)}</b>{facts.shared && <span class="badge"> shared</span>}</td>
      <td>{visible(facts.source.title)} <span class="faint">{classLabel(facts.remote_class)}</span></td>
      {cells.map((cell, i) => <td key={i} class={`number ${cell.text === '–' ? 'faint' : ''}`} title={cell.title}>{cell.text}</td>)}
      <td class="phase-cell"><PhaseBar phases={facts.phases} /></td>
      <td class={`number ${slower === null ? 'faint' : slower >= 1.25 ? 'warn' : ''}`} title={slower === null ? 'nothing to compare with' : `median of ${plural(facts.earlier_loads, 'earlier load')}: ${formatUnit(facts.earlier_median_s, 's').text}`}>{slower === null ? '–' : `${slower.toFixed(2)} ×`}</td>
      <td class={`number ${load.breaches.length > 0 ? 'bad' : 'faint'}`}>{load.breaches.length > 0 ? plural(load.breaches.length, 'breach', 'breaches') : 'none'}</td>
    </tr>
  );
}

function NoLoads() {
  const since = useStore((s) => s.since);
  return (
    <div class="state small" data-state="empty" data-reason="no_loads">
      <span class="state-mark"><Icon name="empty" /></span>
      <h2>No model or image was loaded in this range</h2>
      <p>A load is told when a pod takes 256 MiB or more from an object store, model hub, registry or file store. From a local disk or a page cache nothing crosses the network.</p>
      {since !== '1w' && <div class="actions"><button type="button" class="button primary" onClick={() => setRange({ since: '1w', until: 'now' })}>Look at the last week</button></div>}
    </div>
  );
}

export function InferenceView() {
  const range = useRange();
  const selected = useStore((s) => s.selected);
  const asked = useQuestion(`loads ${JSON.stringify(range)}`, (signal) => askLoads(range, signal));
  const findings = useFindings(1000);
  const loads = asked.data?.loads ?? [];
  const load = loads.find((one) => one.id === selected) ?? loads[0];
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const step = event.key === 'j' ? 1 : event.key === 'k' ? -1 : 0;
      if (step === 0 || (event.target as HTMLElement).matches('input, select, textarea')) return;
      const next = loads[Math.max(0, Math.min(loads.length - 1, loads.findIndex((one) => one.id === load?.id) + step))];
      if (next) navigate({ selected: next.id }, 'replace');
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [loads, load]);
  if (asked.error && !asked.data) return <ErrorState error={asked.error} />;
  return (
    <>
      {asked.loading && asked.data && <div class="progress" />}
      {asked.error && <ErrorLine error={asked.error} />}
      <div class="status-page scrollable" data-view="inference">
        <div class="status-inner wide">
          <section class="status-section">
            <h2>Loads <span class="muted">{asked.data ? plural(loads.length, 'load') : ''}{asked.data && !asked.data.complete ? ', and more before' : ''}</span></h2>
            <div class="panel">
              {!asked.data ? <div class="table-skeleton" data-state="loading"><div class="skeleton" /><div class="skeleton" /></div>
                : loads.length === 0 ? <NoLoads />
                  : (
                    <table class="grid-table">
                      <thead><tr><th>When</th><th>Who</th><th>Source</th><th class="number">Bytes</th><th class="number">Time</th><th class="number">Mean rate</th><th class="number">of baseline</th><th class="number">of peak</th><th>What limited it</th>
                        <th class="number" title="Its time over the median of the owner's earlier loads of like size">vs earlier</th><th class="number">Breaches</th></tr></thead>
                      <tbody>{loads.map((one) => <LoadRow key={one.id} load={one} picked={one.id === load?.id} />)}</tbody>
                    </table>
                  )}
            </div>
          </section>
          {load && <div class="panel"><LoadDetail key={load.id} load={load} all={loads} findings={findings.data?.findings ?? []} /></div>}
          <Serving />
        </div>
      </div>
    </>
  );
}
