// Which pods used a node's bandwidth in the chosen time: by what crossed the node's border.
import { askFlows } from '../../data/api';
import { useRange } from '../../data/findings';
import { useQuestion } from '../../data/query';
import { navigate } from '../../data/store';
import type { FlowRow } from '../../data/types';
import { endName } from '../../domain/columns';
import { condition } from '../../domain/filter_edit';
import { formatBytes, formatPercent, formatUnit } from '../../domain/units';

const kParts = ['namespace', 'workload', 'pod', 'container_name', 'process'];
const kLimit = 200;

export interface User {
  text: string;
  place: string;
  received: number;
  sent: number;
  filter: string;
}

// Rows of both questions, in which the node's end is the client or the server, added up by thing.
export function usersOf(clients: readonly FlowRow[], servers: readonly FlowRow[], node: string): User[] {
  const users = new Map<string, User>();
  for (const [rows, side] of [[clients, 'client'], [servers, 'server']] as const) {
    for (const row of rows) {
      const { text, place } = endName(row, side);
      const key = `${text}\u0000${place}`;
      const found = users.get(key) ?? { text, place, received: 0, sent: 0, filter: filterOf(row, side, node) };
      const number = (name: string) => (typeof row[name] === 'number' ? row[name] : 0);
      found.received += number(side === 'client' ? 'bytes_to_client' : 'bytes_to_server');
      found.sent += number(side === 'client' ? 'bytes_to_server' : 'bytes_to_client');
      users.set(key, found);
    }
  }
  return [...users.values()].sort((a, b) => b.received + b.sent - a.received - a.sent);
}

function filterOf(row: FlowRow, side: string, node: string): string {
  const end = (of: string) => [condition(`${of}_node`, '=', node), ...kParts.map((part) => [part, row[`${side}_${part}`]] as const)
    .filter(([, value]) => typeof value === 'string' && value !== '').map(([part, value]) => condition(`${of}_${part}`, '=', String(value)))].join(' and ');
  return `((${end('client')}) or (${end('server')}))`;
}

export function Users({ node }: { node: string }) {
  const range = useRange();
  const asked = useQuestion(JSON.stringify(['users', node, range]), async (signal) => {
    const ask = (side: string) => askFlows({
      ...range, filter: `${condition(`${side}_node`, '=', node)} and locality not in (loopback, same_pod, same_node)`, groupBy: kParts.map((part) => `${side}_${part}`), sort: '-bytes', limit: kLimit,
    }, signal);
    const [clients, servers] = await Promise.all([ask('client'), ask('server')]);
    return usersOf(clients.rows, servers.rows, node);
  });
  const users = asked.data ?? [];
  const total = users.reduce((sum, user) => sum + user.received + user.sent, 0);
  return (
    <section data-section="users">
      <h3>Who used it <span class="chart-keys-inline faint">payload that left or entered the node</span></h3>
      {users.length === 0 ? <p class="muted">{asked.error ? asked.error.message : asked.data ? 'No flow of this range crossed its border.' : 'Asking…'}</p> : (
        <table class="grid-table flat">
          <thead><tr><th>Thing</th><th class="number">Received</th><th class="number">Sent</th><th class="number">Share</th></tr></thead>
          <tbody>{users.slice(0, 12).map((user) => (
            <tr key={`${user.text} ${user.place}`}>
              <td><button type="button" class="link" title="Its flows" onClick={() => navigate({ view: 'flows', filter: user.filter, preset: '', groupBy: [], selected: '' })}>{user.text || '–'}</button> <span class="faint">{user.place}</span></td>
              <td class="number" title={formatUnit(user.received, 'bytes').title}>{formatBytes(user.received)}</td><td class="number" title={formatUnit(user.sent, 'bytes').title}>{formatBytes(user.sent)}</td>
              <td class="number">{total > 0 ? formatPercent((100 * (user.received + user.sent)) / total) : '–'}</td>
            </tr>
          ))}</tbody>
        </table>
      )}
    </section>
  );
}
