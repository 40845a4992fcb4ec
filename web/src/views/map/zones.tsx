// Where the two ends of an edge are: its zones with what went between them, and what that costs.
import type { MapEdge, ZonePair } from '../../data/types';
import { visible } from '../../domain/text';
import { formatBytes, formatUnit } from '../../domain/units';

const kWords: Readonly<Record<string, string>> = {
  loopback: 'loopback', same_pod: 'same pod', same_node: 'same node', same_zone: 'same zone', inter_zone: 'between zones', inter_region: 'between regions',
  cloud_service: 'cloud service', internet: 'internet', private: 'private address', unknown: 'unknown where',
};

export function localityWord(locality: string): string {
  return kWords[locality] ?? locality.replace(/_/g, ' ');
}

function Row({ pair }: { pair: ZonePair }) {
  const crosses = pair.client_zone !== '' && pair.server_zone !== '' && pair.client_zone !== pair.server_zone;
  const zone = (name: string) => (name === '' ? <span class="faint" title="the zone of this end is unknown">–</span> : visible(name));
  return (
    <tr>
      <th class={crosses ? 'zone-crossed' : ''}>{zone(pair.client_zone)} <span class="faint">→</span> {zone(pair.server_zone)}</th>
      <td>{formatBytes(pair.bytes)}</td>
    </tr>
  );
}

export function Zones({ edge }: { edge: MapEdge }) {
  const known = edge.zone_pairs.filter((pair) => pair.client_zone !== '' || pair.server_zone !== '');
  const shares = Object.entries(edge.localities).sort((a, b) => b[1] - a[1]);
  if (known.length === 0 && shares.length === 0) return null;
  const cost = edge.cost_usd !== null && edge.cost_usd > 0 ? formatUnit(edge.cost_usd, 'USD') : undefined;
  return (
    <section data-section="zones">
      <h3>Where</h3>
      <div class="where">{shares.map(([name, bytes]) => (
        <span key={name} class={`badge ${name === 'inter_zone' || name === 'inter_region' ? 'zone' : ''}`} title={formatBytes(bytes)}>{localityWord(name)}{shares.length > 1 ? ` ${formatBytes(bytes)}` : ''}</span>
      ))}</div>
      {known.length > 0 && (
        <table class="facts">
          <thead><tr><th>Zone of client → zone of server</th><th>payload</th></tr></thead>
          <tbody>
            {known.map((pair) => <Row key={`${pair.client_zone} ${pair.server_zone}`} pair={pair} />)}
            {cost && <tr title="By the server's price table, over the chosen time"><th>Price of it</th><td title={cost.title}>{cost.text}</td></tr>}
          </tbody>
        </table>
      )}
    </section>
  );
}
