"""The queries of the dashboard that comes with the agent of Amazon's Network Flow Monitor, by the panel that asks them."""

BY_NAMESPACE = 'namespace=~"$namespace"'
BY_POD = 'namespace=~"$namespace", pod=~"$pod"'
BY_NODE = 'node=~"$node"'
ALLOWANCES = [f"{name}_allowance_exceeded" for name in ("bw_in", "bw_out", "pps", "conntrack", "linklocal")]


def rate(counter, labels=""):
    return f"rate({counter}{'{' + labels + '}' if labels else ''}[$__rate_interval])"


PANELS = {
    "18": f"topk(10, sum by (pod) ({rate('ingress_bytes', BY_NAMESPACE)}))",
    "17": f"topk(10, sum by (pod) ({rate('egress_bytes', BY_NAMESPACE)}))",
    **{str(7 + place): rate(name, BY_NODE) for place, name in enumerate(ALLOWANCES)},
    "1": rate("egress_bytes", BY_POD),
    "2": rate("ingress_bytes", BY_POD),
    "3": rate("egress_packets", BY_POD),
    "4": rate("ingress_packets", BY_POD),
    "5": f"egress_flow{{{BY_POD}}}",
    "6": f"ingress_flow{{{BY_POD}}}",
    "12": f"sum by (namespace) ({rate('egress_bytes', BY_NAMESPACE)})",
    "13": f"sum({rate('egress_bytes')})",
    "14": f"sum({rate('ingress_bytes')})",
    "15": f"sum({' + '.join(map(rate, ALLOWANCES))})",
    "16": "sum(egress_flow) + sum(ingress_flow)",
    "19": f"sum by (pod, node, iface) ({rate('egress_bytes', f'{BY_POD}, {BY_NODE}')})",
    "20": f"sum by (pod, node, iface) ({rate('ingress_bytes', f'{BY_POD}, {BY_NODE}')})",
    "23": f"sum by (node, iface) ({rate('egress_bytes', BY_NODE)})",
    "24": f"sum by (node, iface) ({rate('ingress_bytes', BY_NODE)})",
}


def queries(rate_interval, namespace=".*", pod=".*", node=".*"):
    """{panel: PromQL}, its variables as a viewer chose them."""
    values = {"$__rate_interval": rate_interval, "$namespace": namespace, "$pod": pod, "$node": node}
    filled = {}
    for panel, expression in PANELS.items():
        for name, value in values.items():
            expression = expression.replace(name, value)
        filled[panel] = expression
    return filled
