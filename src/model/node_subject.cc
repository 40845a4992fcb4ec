#include "model/node_subject.h"

namespace weir::model {
namespace {

bool HasNamespace(SignalScope scope) {
  return scope == SignalScope::kInterface || scope == SignalScope::kQueue || scope == SignalScope::kQdisc ||
         scope == SignalScope::kDrop;
}

}  // namespace

// Neither names of namespaces nor of interfaces can hold a slash or, but for the former, a blank.
NodeSubject ParseNodeSubject(SignalScope scope, std::string_view text) {
  NodeSubject subject;
  if (!HasNamespace(scope)) {
    subject.detail = text;
    return subject;
  }
  if (const size_t slash = text.find('/'); slash != std::string_view::npos) {
    subject.netns_name = text.substr(0, slash);
    text.remove_prefix(slash + 1);
  }
  if (scope == SignalScope::kDrop) {
    subject.detail = text;
    return subject;
  }
  const size_t blank = text.find(' ');
  subject.interface = text.substr(0, blank);
  if (blank != std::string_view::npos) subject.detail = text.substr(blank + 1);
  return subject;
}

std::string NodeSubjectText(const NodeSubject& subject) {
  std::string text(subject.netns_name);
  if (!text.empty()) text += '/';
  text += subject.interface;
  if (!subject.interface.empty() && !subject.detail.empty()) text += ' ';
  text += subject.detail;
  return text;
}

}  // namespace weir::model
