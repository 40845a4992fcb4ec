"""A real Kubernetes control plane on loopback, with nodes and pods of network namespaces, for tests.

    with Cluster() as cluster, Machines(cluster) as machines, Kubelets(cluster, machines):
        cluster.node("n1", zone="eu-1a")
        cluster.deployment("shop", "web", 3, command=machines.serve(8080), ports=[8080])
        cluster.wait_ready("shop", "web")

`Cluster` is the control plane and what is asked of it; `Kubelets` stands for the kubelets of all nodes; `Machines` gives
them real pods: network namespaces, control groups and processes. Without Machines pods are only marked as running.
"""
