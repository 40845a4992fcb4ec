#include "cmd/replay.h"

#include <fmt/format.h>
#include <signal.h>

#include <cstdio>

#include "agent/recording/replay.h"
#include "agent/recording/replay_sender.h"
#include "base/log.h"
#include "cli/reports.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cmd/server_sink.h"

namespace weir::cmd {
namespace {

using agent::recording::Replay;

void Say(const std::string& text) { std::fprintf(stderr, "weir: %s\n", cli::Printable(text, 2'000).c_str()); }

int Fail(const Status& status) {
  Say(status.message());
  return 1;
}

// What remains to be said once everything has come out.
int Ended(const Replay& replay) {
  if (const std::string remarks = replay.Remarks(); !remarks.empty()) Say(remarks);
  const Status status = replay.status();
  return status.ok() ? 0 : Fail(status);
}

int Print(Replay& replay, const Settings& settings) {
  cli::ReportFormat format;
  format.output = cli::FormatOf(settings.Text("output"));
  format.headers = !settings.Switch("no-headers");
  format.color = cli::StdoutHasColor();
  format.width = cli::TerminalWidth();
  if (settings.Number("limit") != 0) format.limit = settings.Number("limit");
  cli::ReportPrinter printer(format);
  while (const auto batch = replay.Next()) std::fputs(printer.Add(*batch).c_str(), stdout);
  std::fputs(printer.Finish().c_str(), stdout);
  std::fflush(stdout);
  return Ended(replay);
}

int Send(Replay& replay, const Settings& settings) {
  const SystemClock clock;
  auto sink = SinkOf(settings, clock);
  if (!sink.ok()) return Fail(sink.status());
  agent::recording::ReplaySender sender(settings.Text("node"), **sink, clock);
  while (auto batch = replay.Next()) {
    if (const Status status = sender.Send(*std::move(batch)); !status.ok()) return Fail(status);
  }
  Say(fmt::format("{} intervals are at {} as node '{}', {} of them were there before", sender.sent(),
                  settings.Text("server"), sender.node(), sender.known()));
  return Ended(replay);
}

}  // namespace

int RunReplay(const Settings& settings, const std::string& file) {
  SetLogLevel(LogLevel::kError);  // what the agent would warn of was told when it was recorded
  signal(SIGPIPE, SIG_IGN);
  Result<std::unique_ptr<Replay>> replay = Replay::Open(file);
  if (!replay.ok()) return Fail(replay.status());
  return settings.Typed("server") ? Send(**replay, settings) : Print(**replay, settings);
}

}  // namespace weir::cmd
