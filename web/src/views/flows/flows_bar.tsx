// The bar above the table: grouping, the chart's measure, what is left out, columns and export.
import { flowsCsvUrl, flowsJsonUrl, type FlowsQuestion } from '../../data/api';
import { navigate, setPreset, useStore } from '../../data/store';
import type { Column, FlowsAnswer } from '../../data/types';
import { kEndColumns, title } from '../../domain/columns';
import { leftOut } from '../../domain/notices';
import { kPresets, presetOf } from '../../domain/presets';
import { plural } from '../../domain/text';
import { Icon } from '../../widgets/icons';
import { Menu } from '../../widgets/menu';
import { Notices } from '../../widgets/notices';
import { ColumnPicker, GroupPicker } from './column_picker';
import { kCharts } from './histogram';
import { exportName } from './table';

function ExportMenu({ question }: { question: FlowsQuestion }) {
  return (
    <Menu label={<><Icon name="download" />Export</>} title="Download these rows, all columns" alignRight>
      {(close) => (
        <>
          <a class="menu-item" href={flowsCsvUrl(question)} download={exportName('csv')} onClick={close}>CSV, all columns</a>
          <a class="menu-item" href={flowsJsonUrl(question)} download={exportName('json')} onClick={close}>JSON, as the API answers</a>
        </>
      )}
    </Menu>
  );
}

function Presets() {
  const chosen = useStore((s) => s.preset);
  const all = [{ id: '', label: 'Overview', help: 'Every flow, with the columns you chose' }, ...kPresets];
  return (
    <span class="joined" role="group" aria-label="Preset">
      {all.map(({ id, label, help }) => <button key={id} type="button" class="button" aria-pressed={chosen === id} title={help} onClick={() => setPreset(id)}>{label}</button>)}
    </span>
  );
}

export function FlowsBar({ all, shown, question, chart, answer, live }: {
  all: Column[]; shown: Column[]; question: FlowsQuestion; chart: string; answer: FlowsAnswer | undefined; live: preact.ComponentChildren;
}) {
  const groupBy = useStore((s) => s.groupBy);
  const isLive = useStore((s) => s.live);
  const preset = presetOf(useStore((s) => s.preset));
  const dimensions = (c: Column) => isLive || question.groupBy.length === 0 || c.kind !== 'dimension' || question.groupBy.includes(c.name);
  const curves = kCharts.find((c) => c.id === chart)?.columns ?? [];
  const sortedBy = question.sort.replace(/^-/, '');
  const sortHidden = !shown.some((column) => column.name === sortedBy);
  return (
    <div class="flows-bar">
      {!isLive && <Presets />}
      {!isLive && <GroupPicker dimensions={all.filter((c) => c.kind === 'dimension')} groupBy={groupBy} {...(preset && preset.groupBy.length > 0 ? { preset: preset.label } : {})} />}
      {!isLive && (
        <label class="labelled">Chart
          <select class="field" value={chart} onChange={(e) => navigate({ chart: e.currentTarget.value }, 'replace')}>
            {kCharts.map((c) => <option key={c.id} value={c.id}>{c.label}</option>)}
          </select>
        </label>
      )}
      {!isLive && <span class="chart-keys faint">{curves.map((name, i) => <span key={name}><span class={`chart-key s${i + 1}`} />{title(name)}</span>)}</span>}
      {live}
      <span class="grow" />
      {!isLive && answer && <Notices compact extra={leftOut(answer.groups_left_out, 'group', 'Only the first by the chosen sort are shown. Raise the limit, group by fewer columns, or narrow the filter.')} />}
      {!isLive && answer && answer.groups_left_out > 0 && <button type="button" class="button small" onClick={() => navigate({ limit: Math.min(100_000, question.limit * 10) })}>Show more</button>}
      {!isLive && answer && <span class="muted">{plural(answer.groups, groupBy.length > 0 ? 'group' : question.groupBy.length > 0 ? 'pair' : 'flow')}{sortHidden && `, ${question.sort.startsWith('-') ? 'most' : 'least'} ${title(sortedBy).toLowerCase()} first`}</span>}
      <ColumnPicker all={[...kEndColumns, ...all.filter(dimensions)]} shown={shown.map((c) => c.name)} />
      <ExportMenu question={question} />
    </div>
  );
}
