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

constexpr auto kFlowsParameters = std::to_array<Parameter>({
    kSince,
    kUntil,
    kFilterParameter,
    {"group_by", kDimensions, "", "Comma-separated dimensions, one row for each combination; empty = the flow key."},
    {"sort", kSort, "-bytes", "Comma-separated columns, most important first; '-' in front = descending."},
    {"limit", kInteger, "1000", "Rows at most.", "", 1, 100'000},
    {"format", kChoice, "json", "csv answers text/csv with a header line.", "json|csv"},
});

constexpr auto kMapParameters = std::to_array<Parameter>({
    kSince,
    kUntil,
    kFilterParameter,
    {"level", kChoice, "process", "What a node is.", "process|container|host"},
    {"limit", kInteger, "500", "Edges at most; unwell ones come first, then the busiest.", "", 1, 5'000},
    {"only", kChoice, "all", "problems leaves out edges whose health is ok.", "all|problems"},
    {"fold_internet", kBoolean, "true", "Public addresses nobody reports from are one node."},
});

constexpr auto kSeriesParameters = std::to_array<Parameter>({
    kSince,
    kUntil,
    kFilterParameter,
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

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

constexpr auto kRoutes = std::to_array<Route>({
    {"GET", "/api/v1/flows", "The flow table: one row per group over the whole range.", "application/json|text/csv",
     kFlowsParameters, AnswerFlows, nullptr},
    {"GET", "/api/v1/map", "The service map: who talks to whom, how much and how well.", kJson, kMapParameters,
     AnswerMap, nullptr},
    {"GET", "/api/v1/series", "Measures over time.", kJson, kSeriesParameters, AnswerSeries, nullptr},
    {"GET", "/api/v1/live", "Rows as they are stored, as server-sent events: columns, rows, heartbeat, dropped.",
     "text/event-stream", kLiveParameters, nullptr, RespondLive},
    {"GET", "/api/v1/nodes", "The nodes: interfaces, the limits they hit, throttled groups, what is read there.", kJson,
     kNodesParameters, AnswerNodes, nullptr},
    {"GET", "/api/v1/nodes/series", "One signal of a node over time.", kJson, kNodeSeriesParameters, AnswerNodeSeries,
     nullptr},
    {"GET", "/api/v1/nodes/windows", "Traffic in steps of 10 ms around the moments when limits were hit.", kJson,
     kWindowsParameters, AnswerRateWindows, nullptr},
    {"GET", "/api/v1/accounts",
     "What the interfaces of each network namespace carried: by flow, headers, and what no flow accounts for.", kJson,
     kNodesParameters, AnswerAccounts, nullptr},
    {"GET",
     "/api/v1/columns",
     "Every column, the filter's either-end fields and the flow key.",
     kJson,
     {},
     AnswerColumns,
     nullptr},
    {"GET",
     "/api/v1/status",
     "Weir itself: store, agents, probes, counters, and problems with their remedies.",
     kJson,
     {},
     AnswerStatus,
     nullptr},
    {"GET", "/api/v1/openapi.json", "This description.", kJson, {}, AnswerOpenApi, nullptr},
    {"POST",
     wire::kIngestPath,
     "For agents: stores a batch and answers when it is durable.",
     kJson,
     {},
     nullptr,
     RespondIngest,
     wire::kMaxEncodedBytes},
    {"GET", "/healthz", "200 while the process lives.", kPlain, {}, AnswerHealthy, nullptr},
    {"GET",
     "/readyz",
     "200 when questions can be answered, else 503 with the reason.",
     kPlain,
     {},
     AnswerReady,
     nullptr},
    {"GET",
     "/metrics",
     "Weir's own counters as OpenMetrics 1.0, see docs/metrics.md.",
     "application/openmetrics-text; version=1.0.0; charset=utf-8",
     {},
     AnswerMetrics,
     nullptr},
});

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

}  // namespace weir::api
