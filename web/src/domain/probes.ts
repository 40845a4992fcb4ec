// Whether a probe's state is something to mend. Off without a remedy is a fact of the machine, e.g. no RDMA device.
export interface ProbeState { state: string; hint: string }

export function isLimited(probe: ProbeState): boolean {
  return probe.state !== 'on' && (probe.state !== 'off' || probe.hint !== '');
}

// Limited, and what it would have told is missing.
export function isMissing(probe: ProbeState): boolean {
  return probe.state !== 'fallback' && isLimited(probe);
}
