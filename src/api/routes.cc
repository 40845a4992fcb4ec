#include "api/routes.h"

#include <array>

#include "wire/batch_codec.h"

namespace weir::api {
namespace {

using enum ParameterType;

constexpr Parameter kSince{"since", kTime, "15m",
                           "Start of the range: RFC 3339, Unix seconds or milliseconds, now-15m, or 15m (that long "
                           "ago; from 10m on cut to whole steps of 10 s, 1 m, 5 m or 1 h, at most a sixtieth of it)."};
constexpr Parameter kUntil{"until", kTime, "now", "End of the range, exclusive; written like since."};
constexpr Parameter kFilterParameter{"filter", kFilter, "",
                                     "Filter expression, see docs/filter.md; empty matches everything."};

constexpr Parameter kNamespaces{
    "namespace", kNames, "",
    "Comma-separated Kubernetes namespaces: only flows with an end in one of them; empty = all."};

constexpr auto kFlowsParameters = std::to_array<Parameter>({
    kSince,
    kUntil,
    kFilterParameter,
    kNamespaces,
    {"level", kChoice, "",
     "Rows are pairs of things of this level; group_by adds columns to theirs; empty = by group_by alone.",
     "|process|container|pod|workload|namespace|node|zone|cluster|service|host"},
    {"group_by", kDimensions, "", "Comma-separated dimensions, one row for each combination; empty = the flow key."},
    {"sort", kSort, "-bytes", "Comma-separated columns, most important first; '-' in front = descending."},
    {"limit", kInteger, "1000", "Rows at most; csv without a limit has all of them, or is refused beyond 100000.", "",
     1, 100'000},
    {"format", kChoice, "json",
     "csv answers text/csv with a header line; the response headers X-Weir-Rows and X-Weir-Rows-Left-Out count rows.",
     "json|csv"},
});

constexpr auto kMapParameters = std::to_array<Parameter>({
    kSince,
    kUntil,
    kFilterParameter,
    kNamespaces,
    {"level", kChoice, "auto",
     "What a node is; auto: namespaces where flows name pods of a cluster, else processes; host: the same as node.",
     "auto|process|container|pod|workload|namespace|node|zone|cluster|service|host"},
    {"limit", kInteger, "500", "Edges at most; unwell ones come first, then the busiest.", "", 1, 5'000},
    {"only", kChoice, "all", "problems leaves out edges whose health is ok.", "all|problems"},
    {"fold_internet", kBoolean, "true", "Public addresses nobody reports from are one node."},
});

constexpr auto kSeriesParameters = std::to_array<Parameter>({
    kSince,
    kUntil,
    kFilterParameter,
    kNamespaces,
    {"columns", kMeasures, "bytes_to_server,bytes_to_client", "Comma-separated measures."},
    {"group_by", kDimensions, "", "Comma-separated dimensions, one series for each combination; empty = one series."},
    {"filter_group_by", kDimensions, "",
     "Conditions on measures in the filter choose among groups by these, or among flows if it is the word flow; empty "
     "= "
     "among the series."},
    {"step", kDuration, "", "Width of a step, e.g. 1s, 10s, 5m; empty = chosen so that there are at most 300."},
    {"limit", kInteger, "20", "Series at most; the largest by the first column.", "", 1, 1'000},
});

constexpr auto kLiveParameters = std::to_array<Parameter>({
    kFilterParameter,
    kNamespaces,
    {"replay", kDuration, "0s", "Rows of the last so many seconds first, at most 180s."},
});

constexpr Parameter kNode{"node", kName, "", "Only this node; empty = all."};

constexpr auto kNodesParameters = std::to_array<Parameter>({kSince, kUntil, kNode});

constexpr auto kNodeSeriesParameters = std::to_array<Parameter>({
    kSince,
    kUntil,
    {"node", kName, "", "The node; required."},
    {"signal", kName, "", "A signal of docs/node-signals.md; required."},
    {"subject", kName, "*", "What the value is about, as /nodes names it; * adds all of them up."},
    {"step", kDuration, "", "Width of a step; empty = chosen so that there are at most 300."},
});

constexpr auto kWindowsParameters = std::to_array<Parameter>({
    kSince,
    kUntil,
    kNode,
    {"limit", kInteger, "20", "Windows at most, the latest first.", "", 1, 200},
});

constexpr Parameter kAbout{"subject", kName, "",
                           "Only what concerns it, as culprit or victim too: pod:NAMESPACE/NAME, "
                           "workload:NAMESPACE/NAME, node:NAME, process:NAME@NODE and so on; empty = all."};
constexpr Parameter kDay{"since", kTime, "24h", "Start of the range, in the forms of /flows."};

constexpr auto kFindingsParameters = std::to_array<Parameter>({
    kDay,
    kUntil,
    {"state", kChoice, "all", "Open ones, closed ones, or both.", "all|open|closed"},
    {"detector", kName, "", "Comma-separated detectors, see docs/detectors; empty = all."},
    {"confidence", kChoice, "low", "What is at least that sure.", "low|medium|high"},
    kAbout,
    {"id", kName, "", "This finding alone, whenever it was."},
    {"limit", kInteger, "200", "Findings at most, the latest first.", "", 1, 5'000},
});

constexpr auto kLoadsParameters = std::to_array<Parameter>({
    kDay,
    kUntil,
    kAbout,
    {"limit", kInteger, "200", "Loads at most, the latest first.", "", 1, 5'000},
});

constexpr auto kServingParameters = std::to_array<Parameter>({
    kSince,
    kUntil,
    kFilterParameter,
    kNamespaces,
    {"limit", kInteger, "50", "Servers at most, the busiest first.", "", 1, 500},
});

constexpr auto kHealthParameters = std::to_array<Parameter>({
    kDay,
    kUntil,
    {"scope", kName, "", "Only this one: node:NAME, zones:A,B or service:NAMESPACE/NAME; empty = all."},
});

constexpr auto kWhyParameters = std::to_array<Parameter>({
    {"subject", kName, "",
     "Required: the name of a pod, workload, node or process, NAMESPACE/NAME, one of the forms of /findings, or the id "
     "of a finding."},
    {"at", kTime, "now", "The moment that is asked about; a minute around it, or the last five minutes."},
});

constexpr auto kMetricsParameters = std::to_array<Parameter>({
    {"created", kChoice, "on", "Also when counters began, in OpenMetrics alone; Prometheus stores that as series.",
     "on|off"},
});

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

constexpr auto kRoutes = std::to_array<Route>({
    {.method = "GET",
     .path = "/api/v1/flows",
     .summary = "The flow table: one row per group over the whole range.",
     .content_types = "application/json|text/csv",
     .parameters = kFlowsParameters,
     .answer = AnswerFlows},
    {.method = "GET",
     .path = "/api/v1/map",
     .summary = "The service map: who talks to whom, how much and how well.",
     .content_types = kJson,
     .parameters = kMapParameters,
     .answer = AnswerMap},
    {.method = "GET",
     .path = "/api/v1/series",
     .summary = "Measures over time.",
     .content_types = kJson,
     .parameters = kSeriesParameters,
     .answer = AnswerSeries},
    {.method = "GET",
     .path = "/api/v1/live",
     .summary = "Rows as they are stored, as server-sent events: columns, rows, heartbeat, dropped.",
     .content_types = "text/event-stream",
     .parameters = kLiveParameters,
     .respond = RespondLive,
     .lane = Lane::kPages},
    {.method = "GET",
     .path = "/api/v1/nodes",
     .summary = "The nodes: interfaces, the limits they hit, throttled groups, what is read there.",
     .content_types = kJson,
     .parameters = kNodesParameters,
     .answer = AnswerNodes},
    {.method = "GET",
     .path = "/api/v1/nodes/series",
     .summary = "One signal of a node over time.",
     .content_types = kJson,
     .parameters = kNodeSeriesParameters,
     .answer = AnswerNodeSeries},
    {.method = "GET",
     .path = "/api/v1/nodes/windows",
     .summary = "Traffic in steps of 10 ms around the moments when limits were hit.",
     .content_types = kJson,
     .parameters = kWindowsParameters,
     .answer = AnswerRateWindows},
    {.method = "GET",
     .path = "/api/v1/accounts",
     .summary =
         "What the interfaces of each network namespace carried: by flow, headers, and what no flow accounts for.",
     .content_types = kJson,
     .parameters = kNodesParameters,
     .answer = AnswerAccounts},
    {.method = "GET",
     .path = "/api/v1/findings",
     .summary = "What the detectors found: who, when, how sure, by what evidence, what to do.",
     .content_types = kJson,
     .parameters = kFindingsParameters,
     .answer = AnswerFindings},
    {.method = "GET",
     .path = "/api/v1/why",
     .summary = "What was wrong with a subject at a time, in five lines, and the evidence.",
     .content_types = kJson,
     .parameters = kWhyParameters,
     .answer = AnswerWhy},
    {.method = "GET",
     .path = "/api/v1/loads",
     .summary = "Loads of models and images: bytes, rate, phases, share of what the node may receive.",
     .content_types = kJson,
     .parameters = kLoadsParameters,
     .answer = AnswerLoads},
    {.method = "GET",
     .path = "/api/v1/serving",
     .summary = "Who answers requests and how fast, on the wire and by the application's own numbers.",
     .content_types = kJson,
     .parameters = kServingParameters,
     .answer = AnswerServing},
    {.method = "GET",
     .path = "/api/v1/health",
     .summary = "The network health indicator of zone pairs, nodes and services, now and before.",
     .content_types = kJson,
     .parameters = kHealthParameters,
     .answer = AnswerHealth},
    {.method = "GET",
     .path = "/api/v1/columns",
     .summary = "Every column, the filter's either-end fields and the flow key.",
     .content_types = kJson,
     .answer = AnswerColumns,
     .lane = Lane::kPages},
    {.method = "GET",
     .path = "/api/v1/status",
     .summary = "Weir itself: store, agents, probes, counters, and problems with their remedies.",
     .content_types = kJson,
     .answer = AnswerStatus,
     .lane = Lane::kPages},
    {.method = "GET",
     .path = "/api/v1/openapi.json",
     .summary = "This description.",
     .content_types = kJson,
     .answer = AnswerOpenApi,
     .lane = Lane::kPages},
    {.method = "POST",
     .path = wire::kIngestPath,
     .summary = "For agents: stores a batch and answers when it is durable.",
     .content_types = kJson,
     .respond = RespondIngest,
     .lane = Lane::kIngest,
     .max_body_bytes = wire::kMaxEncodedBytes},
    {.method = "GET",
     .path = "/healthz",
     .summary = "200 while the process lives.",
     .content_types = kPlain,
     .answer = AnswerHealthy,
     .lane = Lane::kProbes},
    {.method = "GET",
     .path = "/readyz",
     .summary = "200 when questions can be answered, else 503; asks the store nothing.",
     .content_types = kPlain,
     .answer = AnswerReady,
     .lane = Lane::kProbes},
    {.method = "GET",
     .path = "/metrics",
     .summary = "Workloads, verdicts, agents and Weir itself as OpenMetrics or Prometheus' text, see docs/metrics.md.",
     .content_types =
         "application/openmetrics-text; version=1.0.0; charset=utf-8|text/plain; version=0.0.4; charset=utf-8",
     .parameters = kMetricsParameters,
     .respond = RespondMetrics,
     .lane = Lane::kPages},
});

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

}  // namespace weir::api
