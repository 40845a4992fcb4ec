// What an application says of itself beside what the wire says, and what the difference means.
import type { App, AppFigure, Beside, ServingRow } from '../../data/serving';
import { plural, visible } from '../../domain/text';
import { formatTime } from '../../domain/time';
import { formatUnit } from '../../domain/units';

const kMeasures = [
  { name: 'gen_ai.server.time_to_first_token', measure: 'first_chunk', label: 'To the first chunk', own: 'to the first token' },
  { name: 'gen_ai.server.time_per_output_token', measure: 'chunk_gap', label: 'Between chunks', own: 'per token' },
  { name: 'gen_ai.server.request.duration', measure: 'request_duration', label: 'Whole answer', own: 'whole request' },
  { name: 'app.queue.duration', measure: '', label: 'Queue', own: 'in its queue' },
] as const;

const kVerdicts: Record<Beside['verdict'], { text: string; tone: string }> = {
  agree: { text: 'same', tone: 'good' },
  explained: { text: 'explained', tone: 'warn' },
  unexplained: { text: 'not explained', tone: 'warn' },
  contradiction: { text: 'contradiction', tone: 'bad' },
  different_requests: { text: 'other requests', tone: 'warn' },
  unknown: { text: 'unknown', tone: '' },
};

// A quantile by buckets: its value, or the bound it lies above; the title has the bucket.
export function quantile(value: number | null | undefined, between: [number, number | null] | null | undefined): { text: string; title: string } {
  const time = (us: number) => formatUnit(us, 'us').text;
  const [low, high] = between ?? [null, null];
  if (value === null || value === undefined) return low === null ? { text: '–', title: 'unknown' } : { text: `> ${time(low)}`, title: 'beyond the last bound of its histogram' };
  return { text: time(value), title: low === null || high === null ? '' : `between ${time(low)} and ${time(high)} by its buckets` };
}

export function firstToken(app: App | null): AppFigure | undefined {
  return app?.figures.find((figure) => figure.name === kMeasures[0].name);
}

// The two cells of the table: half and 99 of 100 of its times to the first token.
export function OwnCells({ app, asked }: { app: App | null; asked: boolean }) {
  const figure = firstToken(app);
  if (app === null || (!figure && app.reason === '')) {
    const title = app !== null ? `${app.server || 'It'} tells no time to first token` : asked ? 'no application that is asked speaks for this server' : 'no application is asked for its numbers, see --app-metrics';
    return <><td class="number faint" title={title}>–</td><td class="number faint" title={title}>–</td></>;
  }
  if (!figure) return <td class="number warn" colSpan={2} title={visible(app.reason)} data-own="unknown">unknown</td>;
  const [p50, p99] = [quantile(figure.p50_us, figure.p50_between_us), quantile(figure.p99_us, figure.p99_between_us)];
  const verdict = app.beside.find((one) => one.measure === 'first_chunk');
  const tone = verdict && verdict.verdict !== 'agree' && verdict.verdict !== 'unknown' ? kVerdicts[verdict.verdict].tone : '';
  return <><td class={`number ${tone}`} title={p50.title} data-own={verdict?.verdict}>{p50.text}</td><td class="number" title={p99.title}>{p99.text}</td></>;
}

function Sentence({ beside }: { beside: Beside }) {
  const { text, tone } = kVerdicts[beside.verdict];
  return (
    <li data-beside={beside.measure}>
      <span class={`badge ${tone}`} title={beside.confidence === 'none' ? '' : `confidence: ${beside.confidence}`}>{text}</span>{' '}
      {visible(beside.sentence)}
      {beside.confidence !== 'none' && beside.confidence !== 'high' && <span class="faint"> Confidence: {beside.confidence}.</span>}
    </li>
  );
}

function Times({ row, app }: { row: ServingRow; app: App }) {
  const wire = (measure: string, of: string) => formatUnit(row[`${measure}_${of}_us`] as number | null | undefined, 'us');
  const shown = kMeasures.flatMap((one) => { const figure = app.figures.find(({ name }) => name === one.name); return figure ? [{ ...one, figure }] : []; });
  if (shown.length === 0) return null;
  return (
    <table class="facts beside-times">
      <thead><tr><th /><th colSpan={3} class="center">On the wire</th><th colSpan={3} class="center">By the application</th><th>Difference of means</th><th>Its series</th></tr>
        <tr class="faint"><th /><th>mean</th><th>p50</th><th>p99</th><th>mean</th><th>p50</th><th>p99</th><th /><th /></tr></thead>
      <tbody>
        {shown.map(({ measure, label, own, name, figure }) => {
          const beside = app.beside.find((one) => one.measure === measure);
          const [p50, p99] = [quantile(figure.p50_us, figure.p50_between_us), quantile(figure.p99_us, figure.p99_between_us)];
          return (
            <tr key={name} data-measure={name}>
              <th title={name}>{label} <span class="faint">/ {own}</span></th>
              {['avg', 'p50', 'p99'].map((of) => { const cell = measure === '' ? { text: '–', title: 'nothing of the kind is on the wire' } : wire(measure, of); return <td key={of} class="number" title={cell.title}>{cell.text}</td>; })}
              <td class="number">{formatUnit(figure.mean_us, 'us').text}</td><td class="number" title={p50.title}>{p50.text}</td><td class="number" title={p99.title}>{p99.text}</td>
              <td class="number">{formatUnit(beside?.difference_us, 'us').text}</td>
              <td class="faint" title={`${plural(figure.count ?? 0, 'sample')} in this time`}><code>{visible(figure.series)}</code></td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Now({ app }: { app: App }) {
  const of = (name: string) => app.figures.find((figure) => figure.name === name)?.value;
  const [running, waiting] = [of('app.requests.running'), of('app.requests.waiting')];
  if (running === undefined && waiting === undefined) return null;
  return <> It says {[running !== undefined && `${running} running`, waiting !== undefined && `${waiting} waiting`].filter(Boolean).join(', ')} now.</>;
}

export function BesideApp({ row, app }: { row: ServingRow; app: App }) {
  return (
    <section class="beside" data-app={app.state}>
      <h3>Beside what {visible(app.server || 'the application')} says of itself <span class="faint">{visible(app.url)}</span></h3>
      {app.reason !== ''
        ? <p class="warn">Unknown: {visible(app.reason)}. The wire’s numbers stand.</p>
        : <>
            <ul>{app.beside.map((beside) => <Sentence key={beside.measure} beside={beside} />)}</ul>
            <Times row={row} app={app} />
          </>}
      <p class="faint">
        {app.covers && <>It covers {formatTime(Date.parse(app.covers.since)).slice(5)} to {formatTime(Date.parse(app.covers.until)).slice(5)}. </>}
        {app.clock_starts !== '' && <>Its clock starts {visible(app.clock_starts)}.</>}<Now app={app} />
        {' '}Asked {plural(app.scrapes, 'time')}{app.failures > 0 && `, ${app.failures} without an answer`}{app.series_refused > 0 && `, ${plural(app.series_refused, 'series', 'series')} not believed`}{app.restarts > 0 && `, restarted ${plural(app.restarts, 'time')}`}.
      </p>
    </section>
  );
}

// Applications that are asked and speak for no row of the table.
export function WithoutServer({ apps }: { apps: readonly (App & { unmatched: string })[] }) {
  if (apps.length === 0) return null;
  return (
    <ul class="panel-note muted" data-section="apps-without-server">
      {apps.map((app) => <li key={app.url}><code>{visible(app.url)}</code>: {[app.reason.replace(`${app.url}: `, ''), app.unmatched].filter(Boolean).map(visible).join('; ')}.</li>)}
    </ul>
  );
}
