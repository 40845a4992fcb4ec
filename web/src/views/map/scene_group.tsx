// A group of the picture, a box with a header, and the rows in it.
import type { GraphGroup, GraphNode } from '../../domain/graph';
import { glyphOf } from '../../domain/levels';
import { hasHeader, kHeaderHeight, type Box } from '../../domain/layout';
import { plural, shorten, visible } from '../../domain/text';
import { formatBytesPerSecond } from '../../domain/units';
import type { Finding } from '../../data/findings';
import { FindingMark } from './scene_edge';
import { iconPath, type IconName } from '../../widgets/icons';

const kGroupIcons: Readonly<Record<string, IconName>> = {
  container: 'container', netns: 'netns', unit: 'unit', internet: 'internet', pod: 'pod', workload: 'workload', namespace: 'namespace', zone: 'zone',
  region: 'zone', cluster: 'cluster', cloud_service: 'cloud', external: 'outside',
};

function iconOf(kind: string): IconName {
  return kGroupIcons[kind] ?? 'host';
}

export function GroupBox({ group, box, onFold }: { group: GraphGroup; box: Box; onFold: (id: string) => void }) {
  const room = Math.max(6, Math.floor((box.width - 60) / 6.3));
  const host = group.kind === 'host' || group.host === '' || group.host === group.label ? '' : group.host;
  const title = shorten(visible(group.label), host === '' ? room : Math.max(8, room - host.length - 1));
  const foldable = group.folded || group.memberCount > 1;
  return (
    <g class="group" data-group={group.id} transform={`translate(${box.x} ${box.y})`}>
      <title>{`${visible(group.label)}${host === '' ? '' : ` on ${visible(host)}`}`}</title>
      <rect class="g-box" width={box.width} height={box.height} rx="7" />
      {hasHeader(group) && (
        <g class="g-head">
          <rect class="g-head-hit" width={box.width} height={kHeaderHeight} />
          <path class="g-icon" transform="translate(9 7) scale(0.72)" d={iconPath(iconOf(group.kind))} />
          <text class="g-title" x="26" y="16">{title}</text>
          {host !== '' && <text class="g-host" x={box.width - (foldable ? 26 : 10)} y="16" text-anchor="end">{shorten(visible(host), 14)}</text>}
          <path class="g-rule" d={`M0 ${kHeaderHeight - 0.5}H${box.width}`} />
        </g>
      )}
      {hasHeader(group) && foldable && (
        <g class="g-fold" role="button" aria-label={group.folded ? 'Unfold' : 'Fold'} transform={`translate(${box.width - 22} 3)`}
          onClick={(e) => { e.stopPropagation(); onFold(group.id); }} onPointerDown={(e) => e.stopPropagation()}>
          <rect width="18" height="18" rx="4" />
          <path d={group.folded ? 'M9 5v8M5 9h8' : 'M5 9h8'} />
        </g>
      )}
    </g>
  );
}

// SVG attributes are case-sensitive: `tabIndex` would be set and mean nothing.
export function NodeRow({ node, box, picked, found, findings, focusable }: {
  node: GraphNode; box: Box; picked: boolean; found: boolean; findings: readonly Finding[]; focusable: boolean;
}) {
  const rate = node.bytesPerSecond > 0 ? formatBytesPerSecond(node.bytesPerSecond) : '';
  const [member] = node.members;
  const glyph = member && node.members.length === 1 ? glyphOf(member) : undefined;
  const left = glyph === undefined ? 25 : 41;
  const room = Math.floor((box.width - left - 16 - rate.length * 6.3) / 7.2);
  const name = shorten(visible(node.label), Math.max(5, room));
  return (
    <g class={`node ${node.health} ${found ? 'found' : ''}`} data-node={node.id} role="button" tabindex={focusable ? 0 : -1} aria-pressed={picked}
      aria-label={`${visible(node.label)}, ${node.health}, ${rate}${findings.length > 0 ? `, ${plural(findings.length, 'finding')}` : ''}`} transform={`translate(${box.x} ${box.y})`}>
      <title>{[visible(node.label), ...node.members.slice(0, 5).flatMap((m) => m.addresses.slice(0, 3))].join('\n')}</title>
      <rect class="hit" x="3" y="1" width={box.width - 6} height={box.height - 2} rx="4" />
      <circle class="lamp" cx="14" cy={box.height / 2} r="3.4" />
      {glyph !== undefined && <path class="glyph" transform={`translate(23 ${box.height / 2 - 6.500}) scale(0.8)`} d={iconPath(glyph)} />}
      <text class="name" x={left} y={box.height / 2 + 4.3}>
        {name}
        {node.detail !== '' && name.length + node.detail.length + 2 <= room && <tspan class="detail" dx="6">{visible(node.detail)}</tspan>}
      </text>
      {findings.length > 0 && <FindingMark findings={findings} at={{ x: box.width - 4, y: 3 }} />}
      <text class="rate" x={box.width - 10} y={box.height / 2 + 4}>{rate}</text>
    </g>
  );
}
