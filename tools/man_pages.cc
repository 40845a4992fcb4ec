#include "man_pages.h"

#include <fmt/format.h>

#include <string_view>

#include "base/version.h"
#include "cmd/completion.h"
#include "cmd/flags.h"
#include "cmd/settings.h"

namespace weir {
namespace {

// Text as roff prints it: dashes that can be copied, no character with a meaning, no line that is taken for a request.
std::string Roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '\'': out += "\\(aq"; break;
      case '`': out += "\\(ga"; break;
      case '^': out += "\\(ha"; break;
      case '~': out += "\\(ti"; break;
      default: out += c;
    }
  }
  return out.starts_with('.') ? "\\&" + out : out;
}

std::string Heading(const std::string& name) {
  std::string capitals = name;
  for (char& c : capitals) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return fmt::format(".\\\" Made from src/cmd/flags.h by weir-gen.\n.TH {} 1 \"\" \"weir {}\" \"Weir manual\"\n",
                     Roff(capitals), kVersion);
}

std::string Option(const cmd::Flag& flag, uint32_t command) {
  std::string out = ".TP\n";
  if (flag.letter != 0) out += fmt::format("\\fB\\-{}\\fR, ", flag.letter);
  out += fmt::format("\\fB\\-\\-{}\\fR", Roff(flag.name));
  if (!flag.value.empty()) out += fmt::format(" \\fI{}\\fR", Roff(flag.value));
  out += fmt::format("\n{}\n", Roff(flag.help));
  if (!flag.fallback.empty()) out += fmt::format("Default: {}.\n", Roff(flag.fallback));
  if ((flag.typed_only & command) == 0)
    out += fmt::format("Environment: \\fB{}\\fR.\n", Roff(cmd::EnvironmentName(flag)));
  return out;
}

constexpr std::string_view kPrecedence =
    "A flag on the command line counts before its environment variable, that before the key of its name in the file of "
    "--config (TOML, one `name = value` per line), and that before the default.";

std::string CommandPage(const cmd::CommandHelp& command) {
  const std::string name = fmt::format("weir-{}", command.name);
  std::string out = Heading(name);
  out += fmt::format(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n\\fBweir {}\\fR", Roff(name), Roff(command.summary),
                     Roff(command.name));
  if (command.bit != 0) out += " [\\fIoption\\fR...]";
  if (!command.arguments.empty()) out += fmt::format(" \\fI{}\\fR", Roff(command.arguments));
  out += fmt::format("\n.SH DESCRIPTION\n{}.\n", Roff(command.summary));
  if (command.bit != 0) {
    out += fmt::format(".PP\n{}\n.SH OPTIONS\n", Roff(kPrecedence));
    for (const cmd::Flag& flag : cmd::kFlags) {
      if ((flag.commands & command.bit) != 0) out += Option(flag, command.bit);
    }
  }
  out += fmt::format(".SH EXAMPLES\n.nf\n{}\n.fi\n.SH SEE ALSO\n.BR weir (1)\n", Roff(command.example));
  return out;
}

constexpr std::string_view kFiles = R"(.SH FILES
.TP
.I /etc/weir/weir.toml, /etc/weir/agent.toml, /etc/weir/server.toml
Configuration of the units weir.service, weir\-agent.service and weir\-server.service.
.TP
.I /var/lib/weir
Stored flows, and the identity and the spool of the agent.
.TP
.I /usr/lib/weir/libchdb.so
The embedded store, which only \fBweir up\fR and \fBweir server\fR load.
.SH EXIT STATUS
0 when all went well, 1 when the command failed, 2 when a setting cannot be; the reason and its remedy are on stderr.
)";

std::string MainPage() {
  std::string out = Heading("weir");
  out +=
      ".SH NAME\nweir \\- who talks to whom on the network, how much, and how well\n.SH SYNOPSIS\n"
      "\\fBweir\\fR \\fIcommand\\fR [\\fIoption\\fR...]\n.SH DESCRIPTION\n";
  out += Roff(
             "Weir measures the network under containers by the counters the kernel keeps for every socket. An agent "
             "observes each node, a server joins what both ends of a connection saw, keeps it and answers questions "
             "about it.") +
         "\n.SH COMMANDS\n";
  for (const cmd::CommandHelp& command : cmd::Commands())
    out += fmt::format(".TP\n.BR weir\\-{} (1)\n{}.\n", Roff(command.name), Roff(command.summary));
  out += fmt::format(".SH CONFIGURATION\n{}\n", Roff(kPrecedence));
  out += kFiles;
  out += ".SH SEE ALSO\n";
  std::string pages;
  for (const cmd::CommandHelp& command : cmd::Commands())
    pages += fmt::format("{}.BR weir\\-{} (1)", pages.empty() ? "" : " ,\n", Roff(command.name));
  return out + pages + "\n";
}

}  // namespace

std::map<std::string, std::string> ManualPages() {
  std::map<std::string, std::string> pages = {{"weir.1", MainPage()}};
  for (const cmd::CommandHelp& command : cmd::Commands())
    pages.emplace(fmt::format("weir-{}.1", command.name), CommandPage(command));
  return pages;
}

}  // namespace weir
