#include "diagnose/app_beside.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diagnose/finding.h"

namespace weir::diagnose {
namespace {

constexpr double kSameUs = 5'000;    // less is no difference
constexpr double kSameShare = 0.1;   // of the larger of the two
constexpr double kMostOf = 0.5;      // of a difference, to explain it
constexpr double kCountsDiffer = 2;  // times as many
constexpr double kFewSamples = 5;    // of either: less tells little
constexpr double kTokensInAChunk = 1.5;

std::string Who(const AppTimes& app) { return app.server.empty() ? "The application" : app.server; }

Beside Unknown(std::string_view measure, std::optional<double> wire_us, std::string sentence) {
  Beside beside;
  beside.measure = measure;
  beside.confidence = "none";
  beside.wire_us = wire_us;
  beside.sentence = std::move(sentence);
  return beside;
}

// What is being compared, in words.
struct Words {
  std::string_view measure;
  std::string_view wire;  // "first chunk"
  std::string_view app;   // "first token"
  std::string_view name;  // "time to first token"
};

// Whether there are two means to compare; otherwise `beside` says why not.
bool HasBoth(const Words& words, std::optional<double> wire_us, const AppTimes& app, const std::optional<AppMean>& mean,
             Beside& beside) {
  if (!app.unknown.empty()) {
    beside = Unknown(words.measure, wire_us, "What the application says of itself is unknown: " + app.unknown + ".");
  } else if (!mean) {
    beside = Unknown(words.measure, wire_us, fmt::format("{} tells no {}.", Who(app), words.name));
  } else if (mean->samples <= 0 || !mean->mean_us) {
    beside = Unknown(words.measure, wire_us, fmt::format("{} counted no {} in this time.", Who(app), words.app));
  } else if (!wire_us) {
    beside = Unknown(
        words.measure, wire_us,
        fmt::format("No {} was measured on the wire in this time, so there is nothing to compare with.", words.wire));
    beside.app_us = *mean->mean_us;
  } else {
    beside.measure = words.measure;
    beside.wire_us = wire_us;
    beside.app_us = *mean->mean_us;
    beside.difference_us = *wire_us - *mean->mean_us;
    return true;
  }
  return false;
}

bool Same(const Beside& beside) {
  const double most = std::max(*beside.wire_us, *beside.app_us);
  return std::abs(*beside.difference_us) <= std::max(kSameUs, kSameShare * most);
}

std::string BothText(const Words& words, const AppTimes& app, const Beside& beside) {
  return fmt::format("{} says {} to the {}, the wire {} to the {}", Who(app), MicrosText(*beside.app_us), words.app,
                     MicrosText(*beside.wire_us), words.wire);
}

// The wait that makes up most of the difference; "" = none does.
std::string WaitThatExplains(const WireTimes& wire, double difference_us) {
  const auto most = [&](const std::optional<double>& wait) { return wait && *wait >= kMostOf * difference_us; };
  if (most(wire.receive_wait_us)) {
    const bool accept = wire.accept_wait_us && *wire.accept_wait_us >= kMostOf * *wire.receive_wait_us;
    return accept ? fmt::format("requests wait {} for accept()", MicrosText(*wire.accept_wait_us))
                  : fmt::format("requests lie unread for {}: a blocked event loop or too little CPU",
                                MicrosText(*wire.receive_wait_us));
  }
  if (most(wire.accept_wait_us))
    return fmt::format("connections wait {} for accept()", MicrosText(*wire.accept_wait_us));
  if (most(wire.upload_us)) return fmt::format("requests take {} to arrive", MicrosText(*wire.upload_us));
  return "";
}

// Of two means of the same requests.
Beside Compare(const Words& words, std::optional<double> wire_us, double wire_samples, const WireTimes& wire,
               const AppTimes& app, const std::optional<AppMean>& mean) {
  Beside beside;
  if (!HasBoth(words, wire_us, app, mean, beside)) return beside;
  const std::string both = BothText(words, app, beside);
  const bool few = std::min(wire_samples, mean->samples) < kFewSamples;
  if (!few && (mean->samples > kCountsDiffer * wire_samples || wire_samples > kCountsDiffer * mean->samples)) {
    beside.verdict = BesideVerdict::different_requests;
    beside.confidence = "low";
    beside.sentence =
        fmt::format("{}; but it counted {:.0f} and the wire {:.0f}, so they do not speak of the same requests.", both,
                    mean->samples, wire_samples);
    return beside;
  }
  beside.confidence = few ? "low" : "high";
  if (Same(beside)) {
    beside.verdict = BesideVerdict::agree;
    beside.sentence = both + ": they agree.";
    return beside;
  }
  if (*beside.difference_us < 0) {
    beside.verdict = BesideVerdict::contradiction;
    beside.confidence = "low";
    beside.sentence = fmt::format(
        "{}: an application cannot answer before it does. Its clock is wrong, or a header or an "
        "empty event went out before the {}; the wire's number is the one to trust.",
        both, words.app);
    return beside;
  }
  const std::string wait = WaitThatExplains(wire, *beside.difference_us);
  const std::string clock = app.clock_starts.empty() ? "" : fmt::format(" ({})", app.clock_starts);
  if (!wait.empty()) {
    beside.verdict = BesideVerdict::explained;
    beside.sentence = fmt::format("{}: {} pass before the application starts its clock{}; {}.", both,
                                  MicrosText(*beside.difference_us), clock, wait);
  } else {
    beside.verdict = BesideVerdict::unexplained;
    beside.confidence = few ? "low" : "medium";
    beside.sentence = fmt::format(
        "{}: {} are in no wait that was measured. They pass before its clock starts{}, or between the engine "
        "and the socket, in a proxy of the pod or a loop that writes late.",
        both, MicrosText(*beside.difference_us), clock);
  }
  return beside;
}

}  // namespace

std::string_view NameOf(BesideVerdict verdict) {
  switch (verdict) {
#define WEIR_BESIDE_VERDICT(name) \
  case BesideVerdict::name: return #name;
    WEIR_BESIDE_VERDICTS(WEIR_BESIDE_VERDICT)
#undef WEIR_BESIDE_VERDICT
  }
  return "unknown";
}

Beside CompareFirstChunk(const WireTimes& wire, const AppTimes& app) {
  return Compare({"first_chunk", "first chunk", "first token", "time to first token"}, wire.first_chunk_us,
                 static_cast<double>(wire.first_chunks), wire, app, app.first_token);
}

Beside CompareDuration(const WireTimes& wire, const AppTimes& app) {
  return Compare({"request_duration", "end of the answer", "end of a request", "duration of requests"},
                 wire.duration_us, static_cast<double>(wire.durations), wire, app, app.duration);
}

// A chunk may hold several tokens, so that a longer gap is no contradiction.
Beside CompareChunkGap(const WireTimes& wire, const AppTimes& app) {
  Beside beside;
  const Words words{"chunk_gap", "gap between chunks", "token after a first", "time per token"};
  if (!HasBoth(words, wire.chunk_gap_us, app, app.output_token, beside)) return beside;
  const std::string both = fmt::format("{} makes a token in {}, a chunk leaves every {}", Who(app),
                                       MicrosText(*beside.app_us), MicrosText(*beside.wire_us));
  const double tokens = *beside.app_us > 0 ? *beside.wire_us / *beside.app_us : 0;
  beside.confidence = "medium";
  if (tokens >= kTokensInAChunk) {
    beside.verdict = BesideVerdict::unexplained;
    beside.sentence = fmt::format(
        "{}: a chunk holds about {:.0f} tokens, or chunks are held up between the engine and the "
        "socket.",
        both, std::max(2.0, tokens));
  } else if (tokens > 1 / kTokensInAChunk) {
    beside.verdict = BesideVerdict::agree;
    beside.confidence = "high";
    beside.sentence = both + ": they agree.";
  } else {
    beside.verdict = BesideVerdict::contradiction;
    beside.confidence = "low";
    beside.sentence = both + ": chunks are no tokens here, or its clock is wrong.";
  }
  return beside;
}

}  // namespace weir::diagnose
