// Status: what Weir sees of itself. Agents and their probes, losses, the store and how far back it reaches, counters.
import { useState } from 'preact/hooks';
import { useStore } from '../../data/store';
import type { AgentStatus, Counter, StatusAnswer, StoreTable } from '../../data/types';
import { visible } from '../../domain/text';
import { ago, formatTime } from '../../domain/time';
import { formatBytes, formatCount, formatDuration } from '../../domain/units';
import { Icon } from '../../widgets/icons';
import { ErrorLine, ErrorState } from '../../widgets/states';

export const kCounterSearchId = 'counter-search';

function Meter({ share }: { share: number }) {
  const fill = (element: HTMLDivElement | null) => {
    if (element) element.style.width = `${Math.min(100, Math.max(0, share * 100))}%`;
  };
  return <div class="meter" role="meter" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)}><div ref={fill} /></div>;
}

function Tiles({ status }: { status: StatusAnswer }) {
  const stale = status.agents.filter((a) => a.stale).length;
  const oldest = status.store.tables.map((t) => (t.oldest ? Date.parse(t.oldest) : NaN)).filter((t) => !Number.isNaN(t));
  const rows = status.store.tables.reduce((sum, t) => sum + t.rows, 0);
  const { disk_bytes: used, disk_budget_bytes: budget } = status.store;
  const now = Date.parse(status.time);
  return (
    <div class="tiles">
      <div class="tile"><div class="what">Agents</div><div class="value">{status.agents.length}</div>
        <div class={`note ${stale > 0 ? 'warn' : ''}`}>{status.agents.length === 0 ? 'none has reported' : stale === 0 ? 'all report' : `${stale} silent`}</div></div>
      <div class="tile"><div class="what">Records lost</div><div class={`value ${status.losses > 0 ? 'warn' : ''}`}>{formatCount(status.losses)}</div>
        <div class="note">{status.losses === 0 ? 'nothing since start' : 'since start, see the counters'}</div></div>
      <div class="tile"><div class="what">Data reaches back</div><div class="value">{oldest.length === 0 ? '–' : formatDuration(now - Math.min(...oldest))}</div>
        <div class="note">{oldest.length === 0 ? 'nothing stored yet' : formatTime(Math.min(...oldest))}</div></div>
      <div class="tile"><div class="what">Store on disk</div><div class="value">{formatBytes(used)}</div>
        {budget > 0 ? <><Meter share={used / budget} /><div class="note">of {formatBytes(budget)} budget</div></> : <div class="note">no budget set</div>}</div>
      <div class="tile"><div class="what">Rows stored</div><div class="value">{formatCount(rows)}</div><div class="note">in all resolutions</div></div>
      <div class="tile"><div class="what">Server</div><div class="value">{visible(status.version)}</div><div class="note">up for {formatDuration(status.uptime_seconds * 1000)}</div></div>
    </div>
  );
}

function Problems({ problems }: { problems: string[] }) {
  return (
    <section class="status-section">
      <h2>Problems</h2>
      <div class="panel">
        {problems.length === 0
          ? <ul class="problem-list"><li><span class="ok"><Icon name="check" /></span>None. Everything that was captured is stored.</li></ul>
          : <ul class="problem-list">{problems.map((text) => <li key={text}><Icon name="warning" /><span>{visible(text)}</span></li>)}</ul>}
      </div>
    </section>
  );
}

const kProbeClass: Readonly<Record<string, string>> = { on: 'ok', fallback: 'warn', off: 'warn', failed: 'bad' };

function ProbeList({ agent }: { agent: AgentStatus }) {
  const counters = Object.entries(agent.counters).filter(([, value]) => value > 0);
  return (
    <>
      <div class="probe-list">
        {agent.probes.flatMap((probe) => [
          <span key={probe.name} class="mono">{visible(probe.name)}</span>,
          <span key={`${probe.name} state`}><span class={`badge ${kProbeClass[probe.state] ?? ''}`}>{visible(probe.state)}</span></span>,
          <span key={`${probe.name} why`}>{visible(probe.reason)} {probe.hint !== '' && <span class="hint">What helps: {visible(probe.hint)}</span>}</span>,
        ])}
      </div>
      {counters.length > 0 && <p class="muted agent-counters">{counters.map(([name, value]) => `${visible(name)} ${formatCount(value)}`).join(' · ')}</p>}
    </>
  );
}

function probeSummary(agent: AgentStatus): { text: string; className: string } {
  const wrong = agent.probes.filter((p) => p.state !== 'on');
  const failed = wrong.some((p) => p.state === 'failed');
  if (wrong.length === 0) return { text: `${agent.probes.length} on`, className: 'ok' };
  return { text: `${agent.probes.length - wrong.length} on, ${wrong.length} limited`, className: failed ? 'bad' : 'warn' };
}

function AgentRow({ agent, now }: { agent: AgentStatus; now: number }) {
  const limited = agent.probes.some((p) => p.state === 'off' || p.state === 'failed');
  const [open, setOpen] = useState(limited);
  const probes = probeSummary(agent);
  return (
    <>
      <tr data-agent={agent.node}>
        <td><button type="button" class="expander" aria-expanded={open} onClick={() => setOpen(!open)}><Icon name="right" />{visible(agent.node)}</button></td>
        <td><span class={`badge ${agent.stale ? 'bad' : 'ok'}`}>{agent.stale ? 'silent' : 'reporting'}</span></td>
        <td title={agent.last_seen}>{ago(Date.parse(agent.last_seen), now)}</td>
        <td>{agent.mode === 'ebpf' ? 'eBPF' : <span class="warn" title="Without eBPF: short connections are missed">{visible(agent.mode)}</span>}</td>
        <td><span class={probes.className}>{probes.text}</span></td>
        <td class="number">{formatCount(agent.reports)}</td>
        <td class={`number ${Math.abs(agent.clock_offset_ms) > 1000 ? 'warn' : ''}`}>{Math.round(agent.clock_offset_ms)} ms</td>
        <td class="muted">{visible(agent.version)}</td>
      </tr>
      {open && <tr class="detail"><td colSpan={8}><ProbeList agent={agent} /></td></tr>}
    </>
  );
}

function Agents({ status }: { status: StatusAnswer }) {
  const now = Date.parse(status.time);
  if (status.agents.length === 0) {
    return (
      <section class="status-section">
        <h2>Agents</h2>
        <div class="panel"><div class="state" data-state="empty"><span class="state-mark"><Icon name="host" /></span><h2>No agent has reported yet</h2>
          <p>On each node: <code>weir agent --server {location.host}</code>. It needs root, or the capabilities the agent names when it starts.</p></div></div>
      </section>
    );
  }
  const sorted = [...status.agents].sort((a, b) => Number(b.stale) - Number(a.stale) || (a.node < b.node ? -1 : 1));
  return (
    <section class="status-section">
      <h2>Agents</h2>
      <div class="panel">
        <table class="grid-table">
          <thead><tr><th>Node</th><th>State</th><th>Last seen</th><th>Mode</th><th>Probes</th><th class="number">Reports</th><th class="number">Clock offset</th><th>Version</th></tr></thead>
          <tbody>{sorted.map((agent) => <AgentRow key={agent.agent_id} agent={agent} now={now} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

function Tables({ status }: { status: StatusAnswer }) {
  const now = Date.parse(status.time);
  const row = (table: StoreTable) => (
    <tr key={table.resolution}>
      <td>{visible(table.resolution)}</td>
      <td class="number">{formatCount(table.rows)}</td>
      <td class="number">{formatBytes(table.bytes)}</td>
      <td class="number">{table.rows > 0 ? `${formatBytes(table.bytes / table.rows)}` : '–'}</td>
      <td>{table.oldest ? <span title={formatTime(Date.parse(table.oldest))}>{formatDuration(now - Date.parse(table.oldest))} back</span> : '–'}</td>
      <td>{table.newest ? <span title={formatTime(Date.parse(table.newest))}>{ago(Date.parse(table.newest), now)}</span> : '–'}</td>
    </tr>
  );
  return (
    <section class="status-section">
      <h2>Store <span class="muted mono ellipsis">{visible(status.store.engine)} · {visible(status.store.path)}</span></h2>
      {status.store.last_error && <div class="error-line"><Icon name="warning" /><span>{visible(status.store.last_error)}</span></div>}
      <div class="panel">
        <table class="grid-table">
          <thead><tr><th>Resolution</th><th class="number">Rows</th><th class="number">Size</th><th class="number">Per row</th><th>Reaches</th><th>Newest</th></tr></thead>
          <tbody>{status.store.tables.map(row)}</tbody>
        </table>
      </div>
    </section>
  );
}

function Counters({ counters }: { counters: Counter[] }) {
  const [zeros, setZeros] = useState(false);
  const [search, setSearch] = useState('');
  const weight = { loss: 2, error: 1, info: 0 } as const;
  const urgent = (c: Counter) => (c.value > 0 ? weight[c.severity] ?? 0 : -1);
  const shown = counters
    .filter((c) => (zeros || c.value > 0) && `${c.name} ${c.help}`.toLowerCase().includes(search.toLowerCase()))
    .sort((a, b) => urgent(b) - urgent(a) || (a.name < b.name ? -1 : 1));
  return (
    <section class="status-section">
      <h2>Counters <span class="grow" />
        <input id={kCounterSearchId} class="field" type="search" placeholder="Search" aria-label="Search counters" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
        <button type="button" class="button small" aria-pressed={zeros} onClick={() => setZeros(!zeros)}>Zeros too</button>
      </h2>
      <div class="panel">
        <table class="grid-table">
          <thead><tr><th>Name</th><th class="number">Value</th><th>Kind</th><th>Meaning</th></tr></thead>
          <tbody>
            {shown.map((c) => {
              const className = c.value > 0 && c.severity !== 'info' ? (c.severity === 'loss' ? 'bad' : 'warn') : '';
              return (
                <tr key={c.name}>
                  <td class="mono">{visible(c.name)}</td>
                  <td class={`number ${className}`} title={c.value.toLocaleString('en')}>{c.name.includes('_bytes') ? formatBytes(c.value) : formatCount(c.value)}</td>
                  <td><span class={`badge ${className}`}>{c.severity === 'info' ? c.kind : c.severity}</span></td>
                  <td class="help">{visible(c.help)}</td>
                </tr>
              );
            })}
            {shown.length === 0 && <tr><td colSpan={4} class="muted">{search === '' ? 'All counters are zero.' : 'No counter matches.'}</td></tr>}
          </tbody>
        </table>
      </div>
    </section>
  );
}

export function StatusView() {
  const status = useStore((s) => s.status);
  const error = useStore((s) => s.statusError);
  if (!status) {
    return error ? <ErrorState error={error} />
      : <div class="table-skeleton" data-state="loading">{Array.from({ length: 10 }, (_, i) => <div key={i} class="skeleton" />)}</div>;
  }
  return (
    <>
      {error && <ErrorLine error={error} />}
      <div class="status-page scrollable" data-view="status">
        <div class="status-inner">
          <Tiles status={status} />
          <Problems problems={status.problems} />
          <Agents status={status} />
          <Tables status={status} />
          <Counters counters={status.counters} />
        </div>
      </div>
    </>
  );
}
