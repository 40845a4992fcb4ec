// One machine: rate, limits it hit, bursts, CPU pressure, who used the bandwidth, accounts.
import { useState } from 'preact/hooks';
import { askAccounts, askWindows, useRange, type Account, type Finding, type NodeFacts, type NodeLimit, type RateWindow } from '../../data/findings';
import { useQuestion } from '../../data/query';
import { plural, visible } from '../../domain/text';
import { ago, formatClock, formatTime } from '../../domain/time';
import { formatBytes, formatMicroseconds, formatPercent, formatUnit } from '../../domain/units';
import { Chart } from '../../widgets/chart';
import { FindingList } from '../../widgets/finding_badge';
import { Icon } from '../../widgets/icons';
import { capacityMarks } from '../inference/load_detail';
import { windowAnswer } from '../health/series';
import { RateChart, SignalChart } from './node_chart';
import { Users } from './users';

function LimitRow({ node, limit }: { node: string; limit: NodeLimit }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <tr data-limit={limit.signal}>
        <td><button type="button" class="expander" aria-expanded={open} onClick={() => setOpen(!open)}><Icon name="right" />{limit.limit}</button></td>
        <td>{visible(limit.subject) || <span class="faint">node</span>}</td>
        <td class="number bad" title={`${limit.count.toLocaleString('en')} ${limit.unit}`}>{formatUnit(limit.count, limit.unit).text} <span class="faint">{limit.unit}</span></td>
        <td class="nowrap" title={`${limit.first} to ${limit.last}`}>{formatClock(Date.parse(limit.first))} – {formatClock(Date.parse(limit.last))}</td>
        <td class="help">{limit.meaning} <span class="mono faint">{limit.signal}</span></td>
      </tr>
      {open && <tr class="detail"><td colSpan={5}><SignalChart node={node} signal={limit.signal} subject={limit.subject} /></td></tr>}
    </>
  );
}

function Limits({ node }: { node: NodeFacts }) {
  const groups = node.limits.filter((limit) => limit.scope !== 'cgroup' && limit.count > 0);
  return (
    <section data-section="limits">
      <h3>Limits that were hit</h3>
      {groups.length === 0 ? <p class="muted">None in this range, as far as its kernel and driver count them{node.probes.some((probe) => probe.state !== 'on') ? '; some of them are not read here, see below' : ''}.</p> : (
        <table class="grid-table flat">
          <thead><tr><th>Limit</th><th>Where</th><th class="number">Count</th><th>First – last</th><th>Meaning</th></tr></thead>
          <tbody>{groups.map((limit) => <LimitRow key={`${limit.signal} ${limit.subject}`} node={node.node} limit={limit} />)}</tbody>
        </table>
      )}
    </section>
  );
}

function WindowChart({ window, node }: { window: RateWindow; node: NodeFacts }) {
  const answer = windowAnswer(window);
  const most = Math.max(...(answer.series[0]?.values['received'] ?? []).map((v) => v ?? 0), ...(answer.series[0]?.values['sent'] ?? []).map((v) => v ?? 0));
  const peak = node.capacity?.peak_bits ?? 0;
  return (
    <div>
      <p><b>{formatTime(Date.parse(window.event))}</b> <span class="muted">{window.limit} was exceeded on {visible(window.cause_subject || window.interface)}; highest step {formatUnit(most, 'bit/s').text}{peak > 0 ? `, ${formatPercent((100 * most) / peak)} of peak` : ''}</span></p>
      <div class="chart-box"><Chart answer={answer} kind="lines" label="Traffic in steps of 10 ms" marks={node.capacity ? capacityMarks(node.capacity.baseline_bits, node.capacity.peak_bits) : []} /></div>
    </div>
  );
}

function Bursts({ node }: { node: NodeFacts }) {
  const range = useRange();
  const asked = useQuestion(JSON.stringify(['windows', node.node, range]), (signal) => askWindows({ ...range, node: node.node, limit: 6 }, signal));
  const windows = asked.data?.windows ?? [];
  return (
    <section data-section="bursts">
      <h3>Bursts, in steps of 10 ms <span class="chart-keys-inline faint"><span class="chart-key s1" />received <span class="chart-key s2" />sent</span></h3>
      {windows.length === 0 ? <p class="muted">{asked.error ? asked.error.message : asked.data ? 'None kept in this range: steps of 10 ms are stored around the moments when a limit was hit.' : 'Asking…'}</p>
        : <div class="two-charts">{windows.map((window) => <WindowChart key={window.start} window={window} node={node} />)}</div>}
    </section>
  );
}

function Pressure({ node }: { node: NodeFacts }) {
  const groups = [...node.throttled].sort((a, b) => b.microseconds - a.microseconds);
  return (
    <section data-section="pressure">
      <h3>CPU pressure</h3>
      <p class="faint">Time in which some task waited for a CPU:</p>
      <SignalChart node={node.node} signal="pressure.cpu_us" subject="" />
      {groups.length === 0 ? <p class="muted">No control group was held back by its CPU quota.</p> : (
        <table class="grid-table flat">
          <thead><tr><th>Control group held back by its CPU quota</th><th class="number">Periods</th><th class="number">Time</th></tr></thead>
          <tbody>{groups.slice(0, 30).map((group) => <tr key={group.cgroup}><td class="mono wrap">{visible(group.cgroup)}</td><td class="number">{formatUnit(group.periods, 'periods').text}</td><td class="number warn">{formatMicroseconds(group.microseconds)}</td></tr>)}</tbody>
        </table>
      )}
    </section>
  );
}

const kAccountRows: readonly { name: string; label: string; help: string }[] = [
  { name: 'interface_bytes', label: 'Interfaces carried', help: 'headers included' }, { name: 'loopback_bytes', label: 'Loopback carried', help: 'headers included' }, { name: 'tcp_bytes', label: 'TCP payload of flows', help: 'each byte once' },
  { name: 'tcp_sent_again_bytes', label: 'TCP sent again', help: 'estimated' }, { name: 'udp_bytes', label: 'UDP payload of flows', help: '' }, { name: 'header_bytes', label: 'Headers', help: '' },
  { name: 'unattributed_bytes', label: 'No flow accounts for', help: 'what flows and headers leave' }, { name: 'forwarded_bytes_at_most', label: 'Forwarded for others, at most', help: '' },
  { name: 'below_ip_bytes', label: 'Below IP', help: 'ARP, other protocols' }, { name: 'excess_bytes', label: 'Flows say more by', help: 'than interfaces carried' },
];

function AccountTable({ account }: { account: Account }) {
  const share = (side: Account['in'], name: string) => { const [part, whole] = [side[name] ?? 0, (side['interface_bytes'] ?? 0) + (side['loopback_bytes'] ?? 0)]; return whole > 0 ? formatPercent((100 * part) / whole) : ''; };
  return (
    <table class="facts" data-account={account.namespace}>
      <thead><tr><th>{account.namespace === '' ? 'The node’s own namespace' : visible(account.namespace)} <span class="faint">{account.interfaces.map(visible).join(', ')}</span></th><th colSpan={2}>received</th><th colSpan={2}>sent</th></tr></thead>
      <tbody>
        {kAccountRows.filter(({ name }, i) => i === 0 || (account.in[name] ?? 0) + (account.out[name] ?? 0) > 0).map(({ name, label, help }) => (
          <tr key={name}><th>{label} {help && <span class="faint">{help}</span>}</th>
            <td>{formatBytes(account.in[name] ?? 0)}</td><td class="faint">{share(account.in, name)}</td><td>{formatBytes(account.out[name] ?? 0)}</td><td class="faint">{share(account.out, name)}</td></tr>
        ))}
      </tbody>
    </table>
  );
}

function Accounts({ node }: { node: string }) {
  const range = useRange();
  const asked = useQuestion(JSON.stringify(['accounts', node, range]), (signal) => askAccounts({ ...range, node }, signal));
  const accounts = asked.data?.accounts ?? [];
  return (
    <section data-section="accounts">
      <h3>Accounts: what its interfaces carried, and by what</h3>
      {accounts.length === 0 ? <p class="muted">{asked.error ? `${asked.error.message}.` : asked.data ? 'No namespace was read in this range.' : 'Asking…'}</p> : accounts.map((account) => <AccountTable key={account.netns} account={account} />)}
    </section>
  );
}

function Rest({ node }: { node: NodeFacts }) {
  const missing = node.probes.filter((probe) => probe.state !== 'on');
  return (
    <section>
      <details>
        <summary>Interfaces and other readings ({node.interfaces.length + node.others.length})</summary>
        <table class="grid-table flat">
          <thead><tr><th>Interface</th><th class="number">Received</th><th class="number">Sent</th><th class="number">Packets in</th><th class="number">Packets out</th></tr></thead>
          <tbody>{node.interfaces.map((one) => (
            <tr key={one.name}><td class="mono">{visible(one.name)}{one.hardware ? '' : <span class="faint"> virtual</span>}</td><td class="number">{formatBytes(one.rx_bytes)}</td><td class="number">{formatBytes(one.tx_bytes)}</td>
              <td class="number">{formatUnit(one.rx_packets, 'packets').text}</td><td class="number">{formatUnit(one.tx_packets, 'packets').text}</td></tr>
          ))}</tbody>
        </table>
        <table class="facts"><tbody>{node.others.map((level) => <tr key={`${level.signal} ${level.subject}`} title={level.meaning}><th><span class="mono">{level.signal}</span> <span class="faint">{visible(level.subject)}</span></th><td>{formatUnit(level.value, level.unit).text} <span class="faint">{level.unit === 'us' || level.unit === 'bytes' ? '' : level.unit}</span></td></tr>)}</tbody></table>
      </details>
      {missing.length > 0 && <p class="warn">Not read here: {missing.map((probe) => `${probe.name} (${visible(probe.reason || probe.state)}${probe.hint ? `; ${visible(probe.hint)}` : ''})`).join(', ')}.</p>}
    </section>
  );
}

export function NodeDetail({ node, findings }: { node: NodeFacts; findings: readonly Finding[] }) {
  return (
    <article class="node-detail scrollable" data-node-detail={node.node} aria-label={`Node ${node.node}`}>
      <header>
        <h2>{visible(node.node)} {node.stale && <span class="badge warn">silent{node.last_seen ? `, last heard ${ago(Date.parse(node.last_seen), Date.now())}` : ''}</span>}</h2>
        <p class="muted">{node.read_since && node.read_until ? `Read ${formatTime(Date.parse(node.read_since))} – ${formatClock(Date.parse(node.read_until))}` : 'Nothing was read of it in this range.'} {node.limits.length > 0 ? `· ${plural(node.limits.length, 'limit')} hit` : ''}</p>
      </header>
      <FindingList findings={findings} />
      <RateChart node={node} />
      <Users node={node.node} />
      <Limits node={node} />
      <Bursts node={node} />
      <Pressure node={node} />
      <Accounts node={node.node} />
      <Rest node={node} />
    </article>
  );
}
