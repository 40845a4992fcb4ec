// weir: subcommands and wiring, no logic.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>

#include "base/version.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cmd/completion.h"
#include "cmd/daemons.h"
#include "cmd/replay.h"
#include "cmd/settings.h"
#include "cmd/token.h"

namespace weir::cmd {
namespace {

Result<cli::Question> QuestionOf(const Settings& settings) {
  cli::Question question;
  question.connection.server = settings.Text("server");
  question.connection.ca_file = settings.Text("ca-file");
  WEIR_ASSIGN_OR_RETURN(question.connection.token, ReadToken(settings));
  if (!settings.Text("since").empty()) question.since = settings.Text("since");
  if (!settings.Text("until").empty()) question.until = settings.Text("until");
  question.filter = settings.Text("filter");
  question.group_by = settings.Text("group-by");
  question.columns = settings.Text("columns");
  if (!settings.Text("sort").empty()) question.sort = settings.Text("sort");
  question.limit = settings.Number("limit");
  question.level = settings.Text("level");
  question.namespaces = settings.Text("namespace");
  question.problems_only = settings.Switch("problems");
  question.accounts = settings.Switch("accounts");
  if (!settings.Text("at").empty()) question.at = settings.Text("at");
  if (!settings.Text("state").empty()) question.state = settings.Text("state");
  question.detector = settings.Text("detector");
  if (!settings.Text("confidence").empty()) question.confidence = settings.Text("confidence");
  question.output = cli::FormatOf(settings.Text("output"));
  question.headers = !settings.Switch("no-headers");
  question.watch = settings.Switch("watch");
  if (settings.Duration("every").count() > 0) question.every = settings.Duration("every");
  question.color = cli::StdoutHasColor();
  question.width = cli::TerminalWidth();
  return question;
}

using QuestionRunner = int (*)(const cli::Question&);

// `subject`: a node, or whom findings are about.
int Ask(const Settings& settings, QuestionRunner run, const std::string& subject = "") {
  Result<cli::Question> question = QuestionOf(settings);
  if (question.ok()) question->node = question->subject = subject;
  if (question.ok()) return run(*question);
  std::fprintf(stderr, "weir: %s\n", question.status().message().c_str());
  return 1;
}

int Dispatch(std::string_view command, const Settings& settings, const std::string& subject, const std::string& file) {
  if (command == "up") return RunUp(settings);
  if (command == "agent") return RunAgent(settings);
  if (command == "server") return RunServer(settings);
  if (command == "replay") return RunReplay(settings, file);
  if (command == "flows") return Ask(settings, cli::RunFlows);
  if (command == "map") return Ask(settings, cli::RunMap);
  if (command == "top") return Ask(settings, cli::RunTop);
  if (command == "nodes") return Ask(settings, cli::RunNodes, subject);
  if (command == "findings") return Ask(settings, cli::RunFindings, subject);
  if (command == "why") return Ask(settings, cli::RunWhy, subject);
  if (command == "loads") return Ask(settings, cli::RunLoads, subject);
  if (command == "serving") return Ask(settings, cli::RunServing);
  if (command == "health") return Ask(settings, cli::RunHealth, subject);
  return Ask(settings, cli::RunStatus);
}

int PrintCompletion(const std::string& shell) {
  const Result<std::string> script = CompletionScript(shell);
  if (script.ok()) {
    std::fputs(script->c_str(), stdout);
    return 0;
  }
  std::fprintf(stderr, "weir: %s\n", script.status().message().c_str());
  return 1;
}

int Main(int argc, char** argv) {
  CLI::App app("Weir measures the network under containers without slowing it: who talks to whom, and what is slow.");
  app.require_subcommand(1);
  app.footer(
      "Start with `weir up`, open the printed address, or ask `weir flows`. Every flag is also an environment\n"
      "variable (--data-dir: WEIR_DATA_DIR) and a key of the --config file.");
  app.set_version_flag("--version", fmt::format("weir {}", kVersion));

  std::map<std::string_view, Settings> settings;
  std::string shell = "bash";
  std::string subject;
  std::string file;
  for (const CommandHelp& command : Commands()) {
    CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.summary));
    sub->footer(fmt::format("Example: {}", command.example));
    if (command.bit != 0) settings[command.name].Register(*sub, static_cast<Command>(command.bit));
    if (command.name == "completion") sub->add_option("shell", shell, "bash, zsh or fish")->type_name("SHELL");
    if (command.name == "replay") {
      sub->add_option("file", file, "what --record wrote")->type_name("FILE")->required();
    }
    if (command.name == "nodes") sub->add_option("name", subject, "the node to show in detail")->type_name("NODE");
    if (command.name == "why") {
      sub->add_option("subject", subject,
                      "a pod, workload, node or process by name or as NAMESPACE/NAME, or the id of a finding")
          ->type_name("SUBJECT")
          ->required();
    }
    if (command.name == "findings" || command.name == "loads" || command.name == "health") {
      sub->add_option("subject", subject, "only what concerns it, e.g. pod:NAMESPACE/NAME or node:NAME")
          ->type_name("SUBJECT");
    }
  }
  CLI11_PARSE(app, argc, argv);

  const std::string chosen = app.get_subcommands().front()->get_name();
  if (chosen == "version") return std::printf("weir %s\n", kVersion) > 0 ? 0 : 1;
  if (chosen == "completion") return PrintCompletion(shell);
  Settings& values = settings[chosen];
  if (const Status status = values.Complete(); !status.ok()) {
    std::fprintf(stderr, "weir %s: %s\n", chosen.c_str(), status.message().c_str());
    return 2;
  }
  return Dispatch(chosen, values, subject, file);
}

}  // namespace
}  // namespace weir::cmd

int main(int argc, char** argv) {
  try {
    return weir::cmd::Main(argc, argv);
  } catch (const std::exception& error) {  // CLI11 throws on programmer errors in the flag table
    std::fprintf(stderr, "weir: internal error: %s\n", error.what());
    return 70;  // EX_SOFTWARE, sysexits.h
  }
}
