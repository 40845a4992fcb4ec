#include "cmd/completion.h"

#include <fmt/format.h>

#include <vector>

#include "cmd/flags.h"

namespace weir::cmd {
namespace {

std::string CommandNames() {
  std::string names;
  for (const CommandHelp& command : Commands()) names += (names.empty() ? "" : " ") + std::string(command.name);
  return names;
}

std::string FlagNames(uint32_t command) {
  std::string names;
  for (const Flag& flag : kFlags) {
    if ((flag.commands & command) != 0) names += fmt::format("{}--{}", names.empty() ? "" : " ", flag.name);
  }
  return names;
}

std::string Spaced(std::string_view choices) {
  std::string text(choices);
  for (char& c : text) c = c == '|' ? ' ' : c;
  return text;
}

// A function for bash's `complete`, which zsh's bashcompinit runs as well: hence no `mapfile`, which zsh lacks.
std::string WordsFunction(std::string_view name) {
  std::string out = fmt::format(
      "{}() {{\n  local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} words=\n", name);
  out += fmt::format("  if [ \"$COMP_CWORD\" = 1 ]; then words='{}'; else\n    case $previous in\n", CommandNames());
  for (const Flag& flag : kFlags) {
    if (flag.type == FlagType::kChoice)
      out += fmt::format("      --{}) words='{}' ;;\n", flag.name, Spaced(flag.value));
  }
  out += "    esac\n    [ -n \"$words\" ] || case ${COMP_WORDS[1]} in\n";
  for (const CommandHelp& command : Commands()) {
    if (command.bit != 0) out += fmt::format("      {}) words='{}' ;;\n", command.name, FlagNames(command.bit));
  }
  out += "      completion) words='bash zsh fish' ;;\n    esac\n  fi\n";
  return out + "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n";
}

std::string Bash() { return WordsFunction("_weir") + "complete -o default -F _weir weir\n"; }

// Installed as `_weir`, the text is the body of zsh's own function of that name, so the first call completes as well.
std::string Zsh() {
  return "#compdef weir\nautoload -U +X bashcompinit && bashcompinit\n" + WordsFunction("_weir_words") +
         "complete -o default -F _weir_words weir\nif [ \"${funcstack[1]}\" = _weir ]; then "
         "_bash_complete -o default -F _weir_words; fi\n";
}

// Inside single quotes of fish.
std::string FishQuoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string Fish() {
  std::string out = "complete -c weir -f\n";
  for (const CommandHelp& command : Commands()) {
    out += fmt::format("complete -c weir -n __fish_use_subcommand -a {} -d {}\n", command.name,
                       FishQuoted(command.summary));
    for (const Flag& flag : kFlags) {
      if (command.bit == 0 || (flag.commands & command.bit) == 0) continue;
      std::string line =
          fmt::format("complete -c weir -n '__fish_seen_subcommand_from {}' -l {}", command.name, flag.name);
      if (flag.type != FlagType::kSwitch) line += " -r";
      if (flag.value == "FILE" || flag.value == "DIR") line += " -F";
      if (flag.type == FlagType::kChoice) line += fmt::format(" -a '{}'", Spaced(flag.value));
      out += line + "\n";
    }
  }
  return out;
}

}  // namespace

const std::vector<CommandHelp>& Commands() {
  static const std::vector<CommandHelp> kCommands = {
      {"up", kUp, "Observe this machine: agent, server and web UI in one process", "weir up --listen 127.0.0.1:7600"},
      {"agent", kAgent, "Run the node agent, reporting to a server",
       "weir agent --server https://weir.example:7600 --token-file t"},
      {"server", kServer, "Run the server: ingest, store, API and web UI", "weir server --data-dir /var/lib/weir"},
      {"flows", kFlows, "List flows: who talked to whom, how much, how well",
       "weir flows --since 5m --filter 'retransmits > 0'"},
      {"map", kMap, "List the edges of the service map", "weir map --level container --problems"},
      {"top", kTop, "Show the busiest flows of the last ten seconds", "weir top --watch"},
      {"findings", kFindings, "List what is or was wrong: who, when, how sure", "weir findings --state open"},
      {"why", kWhy, "Say in five lines what was wrong with a pod, workload, node or process, and by what evidence",
       "weir why shop/web-1 --at 14:05"},
      {"loads", kLoads, "List loads of models and images: bytes, rate, what held them back", "weir loads --since 2h"},
      {"serving", kServing, "List who answers requests and how fast, on the wire and by the application's own numbers",
       "weir serving --since 5m"},
      {"health", kHealth, "Show the network health indicator of zone pairs, nodes and services", "weir health"},
      {"nodes", kNodes, "List nodes and the limits they hit; with a node's name, all about it", "weir nodes --since 1h",
       "[NODE]"},
      {"status", kStatus, "Show agents, probes, losses and the store", "weir status"},
      {"replay", kReplay, "Print or send what an agent saw, from the file its --record made",
       "weir replay field.weirrec -o json", "FILE"},
      {"completion", 0, "Print a shell completion script", "source <(weir completion bash)", "[bash|zsh|fish]"},
      {"version", 0, "Print the version", "weir version"},
  };
  return kCommands;
}

Result<std::string> CompletionScript(std::string_view shell) {
  if (shell == "bash") return Bash();
  if (shell == "zsh") return Zsh();
  if (shell == "fish") return Fish();
  return Status::Invalid(fmt::format("no completion for '{}'; there is bash, zsh and fish", shell));
}

}  // namespace weir::cmd
