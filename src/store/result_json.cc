#include "store/result_json.h"

#include <charconv>
#include <string>
#include <utility>

#include "store/engine/engine.h"
#include "store/sql.h"

namespace weir::store {
namespace {

constexpr int kDeepest = 8;  // ClickHouse nests four levels

void AppendUtf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Reads JSON of a known shape from front to back, each value straight into its cell: the answer to a map has a
// million of them. Every function says whether the text was as expected, and stands behind what it read.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool Take(char wanted) {
    SkipSpace();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }
  bool Ended() {
    SkipSpace();
    return at_ == end_;
  }

  bool Text(std::string& out) {
    if (!Take('"')) return false;
    out.clear();
    while (true) {
      const char* plain = at_;
      while (at_ != end_ && *at_ != '"' && *at_ != '\\') ++at_;
      out.append(plain, at_);
      if (at_ == end_) return false;
      if (*at_++ == '"') return true;
      if (!Escaped(out)) return false;
    }
  }

  bool Number(Cell& cell) {
    SkipSpace();
    if (Word("null")) return true;  // a number that is none: 0
    const auto [stop, error] = std::from_chars(at_, end_, cell.exact);
    if (error == std::errc{} && (stop == end_ || (*stop != '.' && *stop != 'e' && *stop != 'E'))) {
      cell.number = static_cast<double>(cell.exact);
      at_ = stop;
      return true;
    }
    cell.exact = 0;
    const auto [float_stop, float_error] = std::from_chars(at_, end_, cell.number);
    if (float_error != std::errc{}) return false;
    at_ = float_stop;
    return true;
  }

  bool Uint(uint64_t& number) {
    Cell cell;
    if (!Number(cell)) return false;
    number = cell.exact;
    return true;
  }

  // Any value; it is of no interest.
  bool Skip(int depth = 0) {
    SkipSpace();
    if (at_ == end_ || depth > kDeepest) return false;
    if (*at_ == '"') return Text(ignored_);
    if (*at_ == '{' || *at_ == '[') {
      const bool object = *at_ == '{';
      return Items(*at_, object ? '}' : ']',
                   [&] { return (!object || (Text(ignored_) && Take(':'))) && Skip(depth + 1); });
    }
    if (Word("true") || Word("false")) return true;
    Cell cell;
    return Number(cell);
  }

  // The items of an array or an object, each read by `item`.
  template <typename Item>
  bool Items(char open, char close, const Item& item) {
    if (!Take(open)) return false;
    if (Take(close)) return true;
    do {
      if (!item()) return false;
    } while (Take(','));
    return Take(close);
  }

 private:
  void SkipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool Word(std::string_view word) {
    if (!std::string_view(at_, end_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  // What stands behind a backslash.
  bool Escaped(std::string& out) {
    if (at_ == end_) return false;
    const char kind = *at_++;
    switch (kind) {
      case 'b': out += '\b'; return true;
      case 'f': out += '\f'; return true;
      case 'n': out += '\n'; return true;
      case 'r': out += '\r'; return true;
      case 't': out += '\t'; return true;
      case 'u': break;
      default: out += kind; return true;
    }
    uint32_t code = 0;  // ClickHouse escapes nothing beyond the basic plane
    if (end_ - at_ < 4 || std::from_chars(at_, at_ + 4, code, 16).ptr != at_ + 4) return false;
    at_ += 4;
    AppendUtf8(out, code);
    return true;
  }

  const char* at_;
  const char* end_;
  std::string ignored_;
};

class Reader {
 public:
  Reader(std::string_view json, const std::vector<FieldKind>& fields, const RowReader& read)
      : scanner_(json), fields_(fields), read_(read) {}

  AnswerSummary summary;
  std::string exception;  // ClickHouse's, told in the answer

  bool Read() {
    const bool whole = scanner_.Items('{', '}', [&] { return Section(); });
    return whole && scanner_.Ended();
  }

 private:
  bool Section() {
    if (!scanner_.Text(name_) || !scanner_.Take(':')) return false;
    if (name_ == "data") return scanner_.Items('[', ']', [&] { return Row(false); });
    if (name_ == "totals") return Row(true);
    if (name_ == "rows_before_limit_at_least") return scanner_.Uint(summary.rows_before_limit);
    if (name_ == "exception") return scanner_.Text(exception);
    if (name_ != "statistics") return scanner_.Skip();
    return scanner_.Items('{', '}', [&] {
      if (!scanner_.Text(name_) || !scanner_.Take(':')) return false;
      return name_ == "rows_read" ? scanner_.Uint(summary.rows_read) : scanner_.Skip();
    });
  }

  bool Row(bool totals) {
    row_.cells.assign(fields_.size(), {});
    row_.arrays.resize(fields_.size());
    size_t at = 0;
    const bool read = scanner_.Items('[', ']', [&] { return at < fields_.size() && Field(at++); });
    if (!read || at != fields_.size()) return false;
    read_(row_, totals);
    return true;
  }

  bool Field(size_t at) {
    Cell& cell = row_.cells[at];
    switch (fields_[at]) {
      case FieldKind::kFlow: return scanner_.Uint(row_.flow);
      case FieldKind::kNumber: return scanner_.Number(cell);
      case FieldKind::kArray: {
        std::vector<uint64_t>& array = row_.arrays[at];
        array.clear();
        return scanner_.Items('[', ']', [&] { return scanner_.Uint(array.emplace_back()); });
      }
      default: break;
    }
    cell.is_text = true;
    if (!scanner_.Text(cell.text)) return false;
    if (fields_[at] == FieldKind::kAddress) cell.text = AddressText(cell.text);
    return true;
  }

  Scanner scanner_;
  const std::vector<FieldKind>& fields_;
  const RowReader& read_;
  AnswerRow row_;
  std::string name_;
};

}  // namespace

Result<AnswerSummary> ParseJsonCompact(std::string_view json, const std::vector<FieldKind>& fields,
                                       const RowReader& read) {
  // libchdb 26.5 writes the parts of an answer without rows in the wrong order when it has totals: no JSON
  // then.
  if (!json.starts_with('{')) return AnswerSummary{};
  Reader reader(json, fields, read);
  const bool whole = reader.Read();
  if (!reader.exception.empty()) return Status(CodeOfEngineError(reader.exception), reader.exception);
  if (!whole) return Status::Internal(std::string(kNotWhatWasAsked));
  return reader.summary;
}

}  // namespace weir::store
