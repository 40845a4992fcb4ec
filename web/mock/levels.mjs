// Ends as things on the map, by level, as the server does it: what has no such attribute falls to the next lower one.
const kNowhere = {
  group: '', group_kind: '', cluster: '', namespace: '', workload: '', workload_kind: '', pod: '', container_name: '', container: '', process: '', netns_name: '', netns: 0,
  unit: '', node: '', zone: '', zones: [], region: '', service: '', cloud_service: '', external_name: '', external_service: '', name_source: '', on_behalf_of: [], shared: 0,
  addresses: [], external: false,
};

const bare = /^[A-Za-z0-9_][A-Za-z0-9_.:/@-]*$/;
const quoted = (value) => (bare.test(String(value)) ? value : `"${String(value).replace(/["\\]/g, '\\$&')}"`);
const text = (conditions, side) => Object.entries(conditions).filter(([, value]) => value !== '').map(([name, value]) => `${side}_${name} = ${quoted(value)}`).join(' and ');

function made(node, conditions) {
  return { ...kNowhere, ...node, filters: { client: text(conditions, 'client'), server: text(conditions, 'server') } };
}

// What an end lives in. Only named namespaces: the mock's world has no others that are not a container's.
function homeOf({ container, netns_name, unit, node }) {
  if (container) return { group_kind: 'container', group: `container ${container.slice(0, 12)}`, name: container.slice(0, 12), container };
  if (netns_name) return { group_kind: 'netns', group: netns_name, name: netns_name, netns_name };
  if (unit) return { group_kind: 'unit', group: unit, name: unit, unit };
  return { group_kind: 'host', group: node, name: node };
}

const within = (namespace, name) => `${namespace}/${name}`;

function outsideNode(end, level) {
  const { address, external_name, external_service, cloud_service, name_source, region } = end;
  if (external_name !== '') {
    const coarse = ['namespace', 'zone', 'cluster'].includes(level);
    return made({
      kind: cloud_service === '' ? 'external' : 'cloud_service', name: coarse ? external_service || external_name : external_name, external_name: coarse ? '' : external_name,
      external_service, cloud_service, name_source, region, addresses: [address], external: true,
    }, coarse && external_service !== '' ? { external_service } : { external_name });
  }
  if (address.startsWith('203.')) {
    const internet = made({ kind: 'internet', name: 'internet', group: 'internet', group_kind: 'internet', external: true }, {});
    return { ...internet, filters: { client: 'locality = internet', server: 'locality = internet' } };
  }
  return made({ kind: 'host', name: address, group: address, group_kind: 'host', addresses: [address], external: true }, { address });
}

function lowNode(end, level) {
  const { process, node, zone, address } = end;
  const home = homeOf(end);
  const here = { ...home, node, zone, zones: zone ? [zone] : [], addresses: [address], name_source: end.name_source };
  const conditions = { node, container: home.container ?? '', netns_name: home.netns_name ?? '', unit: home.unit ?? '' };
  const owned = end.pod === '' ? {} : { namespace: end.namespace, workload: end.workload, workload_kind: end.workload_kind, pod: end.pod, cluster: end.cluster, container_name: end.container_name };
  if (end.pod !== '' && (level === 'process' || level === 'container')) Object.assign(here, owned, { group_kind: 'pod', group: within(end.namespace, end.pod) });
  if (level === 'process') return made({ ...here, kind: 'process', name: process, process }, { ...conditions, process });
  return made({ ...here, ...(end.pod === '' ? {} : { name: end.container_name }), kind: home.group_kind === 'unit' ? 'container' : home.group_kind }, conditions);
}

export function nodeOf(row, side, level) {
  const end = Object.fromEntries(Object.entries(row).filter(([name]) => name.startsWith(`${side}_`)).map(([name, value]) => [name.slice(side.length + 1), value]));
  const { cluster, namespace, workload, workload_kind, pod, node, zone, region } = end;
  if (node === '') return outsideNode(end, level);
  const zones = zone ? [zone] : [];
  const known = { zones, name_source: end.name_source };
  const service = side === 'server' ? end.service : '';
  if (level === 'service' && service) {
    const name = within(end.service_namespace, service);
    const made_ = made({ ...known, kind: 'service', name: service, service: name, group: end.service_namespace, group_kind: 'namespace', cluster, namespace }, {});
    return { ...made_, filters: { client: '', server: `server_service = ${quoted(service)} and server_service_namespace = ${quoted(end.service_namespace)}` } };
  }
  if (level === 'cluster' && cluster) return made({ ...known, kind: 'cluster', name: cluster, cluster }, { cluster });
  if ((level === 'zone' || level === 'cluster') && zone) return made({ ...known, kind: 'zone', name: zone, zone, region, group: region, group_kind: 'region' }, { zone });
  if (level === 'namespace' && namespace) return made({ ...known, kind: 'namespace', name: namespace, cluster, namespace, group: cluster, group_kind: 'cluster' }, { cluster, namespace });
  if ((level === 'workload' || level === 'service') && workload) {
    return made({ ...known, kind: 'workload', name: workload, cluster, namespace, workload, workload_kind, group: namespace, group_kind: 'namespace' }, { cluster, namespace, workload });
  }
  if (level === 'pod' && pod) {
    return made({ ...known, kind: 'pod', name: pod, cluster, namespace, workload, workload_kind, pod, node, zone, region, group: within(namespace, workload), group_kind: 'workload',
      addresses: [end.address] }, { cluster, namespace, pod });
  }
  if (['node', 'zone', 'cluster', 'namespace'].includes(level)) return made({ ...known, kind: 'host', name: node, group: zone, group_kind: zone ? 'zone' : '', node, zone, region }, { node });
  return lowNode(end, level === 'process' ? 'process' : 'container');
}

// auto: namespaces where pods are named, else processes.
export function levelOf(asked, rows) {
  if (asked === 'host') return 'node';
  if (asked !== 'auto') return asked;
  return rows.some((row) => row.client_namespace !== '' || row.server_namespace !== '') ? 'namespace' : 'process';
}
