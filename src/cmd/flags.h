// THE flag table: one definition per option gives the command-line flag, the environment variable, the
// config-file key, the default, the help text, shell completion and docs/flags.md.
//
// Precedence: flag, then environment (WEIR_ + name in capitals), then config file (key = name), then default.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir::cmd {

enum Command : uint32_t {
  kUp = 1,
  kAgent = 2,
  kServer = 4,
  kFlows = 8,
  kMap = 16,
  kTop = 32,
  kStatus = 64,
  kNodes = 128,
  kReplay = 256,
  kFindings = 512,
  kWhy = 1024,
  kLoads = 2048,
  kHealth = 4096,
  kServing = 8192,
};
inline constexpr uint32_t kDaemons = kUp | kAgent | kServer;
inline constexpr uint32_t kStoring = kUp | kServer;
inline constexpr uint32_t kCollecting = kUp | kAgent;
inline constexpr uint32_t kFindingQuestions = kFindings | kWhy | kLoads | kHealth;
inline constexpr uint32_t kQuestions = kFlows | kMap | kTop | kStatus | kNodes | kServing | kFindingQuestions;

enum class FlagType { kText, kSwitch, kDuration, kBytes, kCount, kFraction, kChoice };

struct Flag {
  std::string_view name;  // without dashes
  char letter;            // one-letter form, 0 = none
  FlagType type;
  std::string_view value;     // placeholder in --help; choices "a|b|c" for kChoice
  std::string_view fallback;  // default as typed; "" = none
  uint32_t commands;          // of Command
  std::string_view help;
  uint32_t typed_only = 0;  // commands that take it from the command line alone, not from environment or config file
};

inline constexpr auto kFlags = std::to_array<Flag>({
    // Daemons
    {"config", 'c', FlagType::kText, "FILE", "", kDaemons | kQuestions | kReplay,
     "Read flags from FILE: TOML, one `name = value` per flag."},
    {"log-level", 0, FlagType::kChoice, "debug|info|warn|error", "info", kDaemons,
     "Least severe message to log, on stderr."},
    {"data-dir", 0, FlagType::kText, "DIR", "", kDaemons,
     "Directory for stored flows, agent identity and spool. Default: /var/lib/weir as root, else ~/.local/state/weir."},

    // Collecting
    {"node", 0, FlagType::kText, "NAME", "", kCollecting | kReplay,
     "Name of this node in maps and tables. Default: the host name; of a replay, the recorded one with -replay "
     "behind."},
    {"zone", 0, FlagType::kText, "NAME", "", kCollecting,
     "Zone this machine is in. Default: what its cluster says, else its cloud's metadata address where it is of one."},
    {"region", 0, FlagType::kText, "NAME", "", kCollecting, "Region this machine is in; as --zone."},
    {"interval", 'i', FlagType::kDuration, "TIME", "1s", kCollecting, "How often sockets are read; 100ms to 60s."},
    {"mode", 0, FlagType::kChoice, "auto|ebpf|sock_diag", "auto", kCollecting,
     "How sockets are seen. auto: eBPF, or the degraded sock_diag mode where the kernel or the privileges do not allow "
     "it."},
    {"max-sockets", 0, FlagType::kCount, "N", "65536", kCollecting,
     "Sockets the kernel map holds; beyond, new ones are counted as lost."},
    {"max-flows", 0, FlagType::kCount, "N", "65536", kCollecting,
     "Flows per interval; beyond, they fold into one overflow flow."},
    {"receive-loss", 0, FlagType::kChoice, "auto|always|off", "auto", kCollecting,
     "Whose arriving segments are watched one by one, to count losses on the way in. auto: those control groups where "
     "something came out of order, from then on; always: all, at a little cost per packet."},
    {"udp", 0, FlagType::kChoice, "off|on", "off", kCollecting,
     "Count UDP by flow and recognise QUIC. Runs a program per packet, see "
     "docs/adr/0004-udp-and-dns.md."},
    {"dns", 0, FlagType::kChoice, "off|on", "off", kCollecting,
     "Follow the DNS queries of this node's sockets: names, response codes, latency, timeouts. Runs a program per "
     "packet too."},
    {"udp-group", 0, FlagType::kText, "GROUP", "", kCollecting,
     "Watch only the sockets of this version 2 control group with --udp and --dns; the packets of others then run no "
     "program."},
    {"within", 0, FlagType::kText, "GROUP", "", kCollecting,
     "See only sockets of this version 2 control group and of those below it, e.g. system.slice, and only its "
     "processes' network namespaces beside the agent's own. Signals of processors and groups stay the machine's."},
    {"requests", 0, FlagType::kChoice, "off|auto|on", "auto", kCollecting,
     "Measure HTTP/1 requests at their servers and learn the names TLS clients ask for; Linux 6.16, or 6.1 with "
     "fentry. auto: only while a program is seen to serve that is known to serve inference, such as vLLM or Triton; "
     "nothing runs until then."},
    {"nat", 0, FlagType::kChoice, "on|off", "on", kCollecting,
     "Ask the kernel's connection tracking whom clients reach behind translated addresses; costs nothing where nothing "
     "is tracked."},
    {"spool-limit", 0, FlagType::kBytes, "BYTES", "256Mi", kCollecting,
     "Disk the agent may use while the server is away."},

    {"node-signals", 0, FlagType::kChoice, "on|off", "on", kCollecting,
     "Read the limits of the node itself: interfaces, queues, cloud allowances, TCP, CPU quotas."},
    {"drops", 0, FlagType::kChoice, "on|off", "on", kCollecting,
     "With them, count the packets the kernel drops, by its reason and the function that dropped them."},
    {"rate-ring", 0, FlagType::kChoice, "on|off", "on", kCollecting,
     "Keep the traffic of the last 30 s in steps of 10 ms while there is any, to show what led to a limit."},

    {"metrics-listen", 0, FlagType::kText, "HOST:PORT", "127.0.0.1:9101", kCollecting,
     "Address of /metrics, /healthz and /readyz of this node; off: none. Whoever reaches it reads names of pods and "
     "their traffic."},
    {"instance-id", 0, FlagType::kText, "ID", "", kCollecting,
     "What metrics call the machine. Default: the cloud's id or the UUID in its firmware tables."},
    {"cpu-budget", 0, FlagType::kFraction, "CORES", "0", kCollecting,
     "What the agent may use of a core, e.g. 0.05; beyond, it gives up features in the order of docs/budget.md, never "
     "TCP connections. 0: whatever it takes."},
    {"memory-budget", 0, FlagType::kBytes, "BYTES", "0", kAgent,
     "Memory the agent may use before it gives up features, in the same way. 0: whatever it takes."},
    {"record", 0, FlagType::kText, "FILE", "", kCollecting,
     "Also write everything that comes from the kernel into FILE, which must not exist, for `weir replay`. eBPF only."},
    {"record-limit", 0, FlagType::kBytes, "BYTES", "256Mi", kCollecting,
     "Where the recording ends; the agent goes on without."},

    // Sending and asking
    {"server", 's', FlagType::kText, "URL", "http://127.0.0.1:7600", kAgent | kQuestions | kReplay,
     "Address of the Weir server. A replay is sent there only when this stands on the command line, else printed.",
     kReplay},
    {"token-file", 0, FlagType::kText, "FILE", "", kDaemons | kQuestions | kReplay,
     "File with the shared secret. The server demands it, agents and questions send it."},
    {"ca-file", 0, FlagType::kText, "FILE", "", kAgent | kQuestions | kReplay,
     "PEM file of the authority that signed the server's certificate."},

    // Serving
    {"listen", 'l', FlagType::kText, "HOST:PORT", "127.0.0.1:7600", kStoring,
     "Address to serve on. Anything but a loopback address needs --token-file."},
    {"tls-cert", 0, FlagType::kText, "FILE", "", kStoring, "PEM certificate chain; with --tls-key, serve HTTPS."},
    {"tls-key", 0, FlagType::kText, "FILE", "", kStoring, "PEM private key of --tls-cert."},
    {"libchdb", 0, FlagType::kText, "FILE", "", kStoring,
     "Path of libchdb.so, the embedded store. Default: searched beside the program."},
    {"retain-raw", 0, FlagType::kDuration, "TIME", "24h", kStoring, "How long rows are kept as reported."},
    {"retain-10s", 0, FlagType::kDuration, "TIME", "3d", kStoring, "How long 10 s roll-ups are kept."},
    {"retain-1m", 0, FlagType::kDuration, "TIME", "30d", kStoring, "How long 1 min and 5 min roll-ups are kept."},
    {"retain-1h", 0, FlagType::kDuration, "TIME", "400d", kStoring, "How long 1 h roll-ups are kept."},
    {"retain-findings", 0, FlagType::kDuration, "TIME", "400d", kStoring, "How long findings are kept."},
    {"disk-budget", 0, FlagType::kBytes, "BYTES", "10Gi", kStoring,
     "Disk the store may use; the oldest data goes first."},

    // Telling others
    {"remote-write", 0, FlagType::kText, "URLS", "", kStoring,
     "Send the server's metrics to these receivers of Prometheus remote write, comma-separated."},
    {"otlp", 0, FlagType::kText, "URL", "", kStoring,
     "Send them by OTLP/HTTP as well; /v1/metrics is added to the URL, port 4318 in most collectors."},
    {"otlp-flows", 0, FlagType::kChoice, "off|on", "off", kStoring,
     "Send each stored row of flows to /v1/logs there as a log event."},
    {"push-interval", 0, FlagType::kDuration, "TIME", "15s", kStoring, "How often metrics are sent; 1s or more."},
    {"push-headers", 0, FlagType::kText, "FILE", "", kStoring,
     "File of headers for --remote-write and --otlp, `Name: value` a line, such as Authorization or X-Scope-OrgID."},
    {"push-ca-file", 0, FlagType::kText, "FILE", "", kStoring,
     "PEM file of the authority that signed their certificates. Default: those of the system."},

    // Judging
    {"thresholds", 0, FlagType::kText, "LIST", "", kStoring,
     "Comma-separated NAME=VALUE: numbers by which detectors judge, see docs/detectors/thresholds.md."},
    {"node-bandwidth", 0, FlagType::kText, "LIST", "", kStoring,
     "Comma-separated NODE=BASELINE/PEAK in Mbit/s: what nodes may send and receive, * for all others. Default: by "
     "their "
     "labels, their instance type, the speed of their link."},

    // Kubernetes
    {"kubernetes", 0, FlagType::kChoice, "auto|on|off", "auto", kStoring,
     "Whether names come from a Kubernetes API. auto: within a pod, or with --kubeconfig; on: also by $KUBECONFIG or "
     "~/.kube/config, and refuse to start without any."},
    {"kubeconfig", 0, FlagType::kText, "FILES", "", kStoring,
     "Kubeconfigs, comma-separated, whose current contexts are followed: by a client certificate, a token or a "
     "tokenFile."},
    {"cluster", 0, FlagType::kText, "NAMES", "", kStoring,
     "What the clusters are called, in that order, comma-separated. Default: their names in the kubeconfigs."},

    // Asking applications
    {"app-metrics", 0, FlagType::kChoice, "off|auto", "off", kStoring,
     "Read what inference servers say of themselves, beside what the wire says. auto: of pods annotated "
     "prometheus.io/scrape, with a port named metrics, or with the image of a known server; off: the server connects "
     "to "
     "no pod."},
    {"app-metrics-target", 0, FlagType::kText, "LIST", "", kStoring,
     "Comma-separated [NAME=]URL whose metrics are read too, with --app-metrics off as well. NAME is "
     "NAMESPACE/WORKLOAD, a "
     "pod, a container or a process; without it, whoever listens at the URL's port."},
    {"app-metrics-interval", 0, FlagType::kDuration, "TIME", "15s", kStoring, "How often each is read; 1s or more."},

    // Names outside
    {"prefix-file", 0, FlagType::kText, "FILES", "", kStoring,
     "Files in which clouds publish their address ranges, comma-separated: Amazon's ip-ranges.json, Google's "
     "cloud.json "
     "and goog.json, Azure's service tags, Hugging Face's meta.json."},
    {"prefix-url", 0, FlagType::kText, "LISTS", "", kStoring,
     "Lists of the same forms that are fetched once a day, by URL or one of aws, google and huggingface, "
     "comma-separated. "
     "Nothing is fetched unless asked for here."},
    {"cidr-label", 0, FlagType::kText, "LABELS", "", kStoring,
     "Names of address ranges of your own: 10.20.0.0/16=office,192.0.2.0/24=backup:object_store."},
    {"geoip", 0, FlagType::kText, "FILES", "", kStoring,
     "MaxMind databases (.mmdb) of country, city or ASN for public addresses without a better name, comma-separated."},
    {"price-table", 0, FlagType::kText, "NAME|FILE", "", kStoring,
     "What traffic costs: `aws` for the list prices that ship with Weir, or a YAML file in the same form. Fills "
     "cost_usd."},

    // Questions
    {"since", 0, FlagType::kText, "TIME", "15m", kFlows | kMap | kNodes | kServing,
     "Start: 15m, 2h, now-1d, RFC 3339 or Unix time."},
    {"since", 0, FlagType::kText, "TIME", "24h", kFindings | kLoads | kHealth, "Start, in the same forms."},
    {"until", 0, FlagType::kText, "TIME", "now", kFlows | kMap | kNodes | kServing | kFindings | kLoads | kHealth,
     "End, in the same forms."},
    {"at", 0, FlagType::kText, "TIME", "now", kWhy, "The moment that is asked about, in the same forms."},
    {"state", 0, FlagType::kChoice, "all|open|closed", "all", kFindings, "Open findings, closed ones, or both."},
    {"detector", 0, FlagType::kText, "NAMES", "", kFindings, "Comma-separated detectors, see docs/detectors."},
    {"confidence", 0, FlagType::kChoice, "low|medium|high", "low", kFindings, "Findings that are at least that sure."},
    {"filter", 'f', FlagType::kText, "EXPR", "", kFlows | kMap | kTop | kServing,
     "Only matching flows, e.g. 'server_port = 443 and retransmits > 0'. See docs/filter.md."},
    {"group-by", 'g', FlagType::kText, "COLUMNS", "", kFlows | kTop,
     "Comma-separated columns that make a row. Default: the flow's ends."},
    {"columns", 0, FlagType::kText, "COLUMNS", "", kFlows | kTop,
     "Comma-separated columns to show; `all` for every one."},
    {"sort", 0, FlagType::kText, "COLUMNS", "-bytes", kFlows | kTop,
     "Comma-separated columns to sort by; - in front sorts downwards."},
    {"limit", 'n', FlagType::kCount, "N", "", kFlows | kMap | kTop | kReplay | kFindings | kLoads | kServing,
     "At most N rows. Default: 50 in a table; json and csv have all of them, or say on stderr what is left out."},
    {"namespace", 0, FlagType::kText, "NAMES", "", kFlows | kMap | kTop | kServing,
     "Only flows with an end in one of these Kubernetes namespaces, comma-separated."},
    {"level", 0, FlagType::kChoice, "auto|process|container|pod|workload|namespace|node|zone|cluster|service|host",
     "auto", kMap,
     "What a node of the map is. auto: namespaces where flows name pods of a cluster, else processes; host: the same "
     "as node."},
    {"level", 0, FlagType::kChoice, "process|container|pod|workload|namespace|node|zone|cluster|service|host", "",
     kFlows | kTop, "Rows are pairs of things of this level; --group-by adds columns to theirs."},
    {"problems", 0, FlagType::kSwitch, "", "", kMap, "Only edges that are not healthy."},
    {"accounts", 0, FlagType::kSwitch, "", "", kNodes,
     "Instead of limits, what the interfaces of each network namespace carried: by flow, headers, and what no flow "
     "accounts for."},
    {"output", 'o', FlagType::kChoice, "table|json|csv", "table", kQuestions | kReplay,
     "table for people, json and csv for programs."},
    {"no-headers", 0, FlagType::kSwitch, "", "", kQuestions | kReplay, "Leave out the header line of tables and CSV."},
    {"watch", 'w', FlagType::kSwitch, "", "", kQuestions,
     "Go on: flows streams new rows as they happen, the others redraw."},
    {"every", 0, FlagType::kDuration, "TIME", "2s", kMap | kTop | kStatus | kNodes | kServing | kFindingQuestions,
     "How often --watch and top redraw."},
});

}  // namespace weir::cmd
