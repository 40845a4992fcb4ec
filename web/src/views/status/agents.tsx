// The agents: who reports, how it captures, and which of its probes are limited and why.
import { isLimited, isMissing } from '../../domain/probes';
import { useState } from 'preact/hooks';
import type { AgentStatus, StatusAnswer } from '../../data/types';
import { visible } from '../../domain/text';
import { ago } from '../../domain/time';
import { formatCount } from '../../domain/units';
import { Icon } from '../../widgets/icons';

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
  const wrong = agent.probes.filter(isLimited);
  const failed = wrong.some((p) => p.state === 'failed');
  const on = agent.probes.filter((p) => p.state === 'on').length;
  if (wrong.length === 0) return { text: `${on} on`, className: 'ok' };
  return { text: `${on} on, ${wrong.length} limited`, className: failed ? 'bad' : 'warn' };
}

function AgentRow({ agent, now }: { agent: AgentStatus; now: number }) {
  const limited = agent.probes.some(isMissing);
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

function NoAgents() {
  return (
    <div class="panel"><div class="state" data-state="empty"><span class="state-mark"><Icon name="host" /></span><h2>No agent has reported yet</h2>
      <p>On each node: <code>weir agent --server {location.host}</code>. It needs root, or the capabilities the agent names when it starts.</p></div></div>
  );
}

// The silent ones first.
function AgentTable({ agents, now }: { agents: readonly AgentStatus[]; now: number }) {
  const sorted = [...agents].sort((a, b) => Number(b.stale) - Number(a.stale) || (a.node < b.node ? -1 : 1));
  return (
    <div class="panel">
      <table class="grid-table">
        <thead><tr><th>Node</th><th>State</th><th>Last seen</th><th>Mode</th><th>Probes</th><th class="number">Reports</th><th class="number">Clock offset</th><th>Version</th></tr></thead>
        <tbody>{sorted.map((agent) => <AgentRow key={agent.agent_id} agent={agent} now={now} />)}</tbody>
      </table>
    </div>
  );
}

export function Agents({ status }: { status: StatusAnswer }) {
  return (
    <section class="status-section">
      <h2>Agents</h2>
      {status.agents.length === 0 ? <NoAgents /> : <AgentTable agents={status.agents} now={Date.parse(status.time)} />}
    </section>
  );
}
