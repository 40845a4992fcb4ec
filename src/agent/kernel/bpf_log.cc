#include "agent/kernel/bpf_log.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "agent/kernel/program_choice.h"
#include "base/log.h"

namespace weir::agent::kernel {
namespace {

constexpr size_t kMaxLogBytes = size_t{64} << 10;
constexpr size_t kMaxSummaryBytes = 400;
constexpr size_t kMaxMessageBytes = size_t{16} << 20;  // libbpf's largest buffer for a verifier's log

thread_local BpfLogCapture* t_capture = nullptr;

int Print(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  // The verifier's log is one message, and its verdict stands at the end of it.
  va_list again;
  va_copy(again, arguments);
  std::string text(std::min<size_t>(std::max(std::vsnprintf(nullptr, 0, format, again), 0), kMaxMessageBytes), '\0');
  va_end(again);
  if (text.empty()) return 0;
  std::vsnprintf(text.data(), text.size() + 1, format, arguments);
  const std::string_view view = text;
  if (t_capture != nullptr) {
    t_capture->Append(view);
  } else {
    LogDebug("{}", view.substr(0, view.find_last_not_of('\n') + 1));
  }
  return 0;
}

// The next line of `text`, which it is taken off.
std::string_view NextLine(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

BpfLogCapture::BpfLogCapture() {
  libbpf_set_print(Print);
  t_capture = this;
}

BpfLogCapture::~BpfLogCapture() { t_capture = nullptr; }

void BpfLogCapture::Append(std::string_view text) {
  // The beginning names the program, the end the reason: drop from the middle.
  text_.append(text);
  if (text_.size() > kMaxLogBytes) text_.erase(kMaxLogBytes / 4, text_.size() - kMaxLogBytes);
}

std::string BpfLogCapture::Summary() const { return SummarizeBpfLog(text_); }

Status FromLibbpf(int error_number, std::string_view what, const BpfLogCapture& log) {
  std::string message(what);
  message.append(": ").append(std::strerror(error_number));
  if (const std::string summary = log.Summary(); !summary.empty()) message.append(" (").append(summary).append(")");
  if (const std::string hint = HintFor(error_number); !hint.empty()) message.append("; ").append(hint);
  return {CodeFor(error_number), message};
}

std::string SummarizeBpfLog(std::string_view log) {
  std::string_view first;
  std::string_view before;
  std::string_view verdict;
  while (!log.empty()) {
    std::string_view line = NextLine(log);
    if (line.starts_with("libbpf: ")) line.remove_prefix(std::string_view("libbpf: ").size());
    if (line.empty()) continue;
    if (first.empty()) first = line;
    // The verifier's statistics follow its verdict, when it had one.
    if (line.starts_with("processed ") && before.find("-- BEGIN PROG LOAD LOG --") == std::string_view::npos) {
      verdict = before;
    }
    before = line;
  }
  std::string summary(first);
  if (!verdict.empty()) summary.append("; verifier: ").append(verdict);
  summary.resize(std::min(summary.size(), kMaxSummaryBytes));
  return summary;
}

}  // namespace weir::agent::kernel
