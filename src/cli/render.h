// Shared by the commands: rows of JSON to JSON, CSV or cells.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/table.h"

namespace weir::cli {

// A JSON array, one row per line.
std::string RowsAsJson(const Json& rows);
// Header from `names` when asked for, then one line per row.
std::string RowsAsCsv(const Json& rows, const std::vector<std::string>& names, bool header);

// Number, string or null at `name`: null and absence are "-".
std::string CellText(const Json& row, const std::string& name, std::string_view unit);
double NumberAt(const Json& row, const std::string& name);  // 0 when absent or null
std::string TextAt(const Json& row, const std::string& name);

std::vector<std::string> SplitList(std::string_view comma_separated);

// The name of an end of a row: "shop/web-7d9", "s3.amazonaws.com"; "" when nobody knows one.
std::string NameOfEnd(const Json& row, const std::string& side);
// Names come first, addresses second: "shop/web-7d9 nginx in web 10.1.0.2:80". Without a name
// "10.0.0.1 curl", "10.0.0.2:80 nginx in 3f2a9c71d0be", "10.77.1.2 curl in lab-client", "10.244.1.5:8080 coredns
// behind 10.96.0.10:53": one end of a flow row in a few words. side = client | server; with_port is for the server.
std::string EndText(const Json& row, const std::string& side, bool with_port);

// Colours of cells of a flow row, by the judgement the map makes of an edge with the same numbers.
Color RetransmitColor(const Json& row);
Color FailureColor(const Json& row);

// The API's limit parameter.
std::string LimitOf(const Question& question);
// What an answer does not hold, in a line with what to do about it; "" when it is whole.
std::string LeftOut(const Json& answer);

using Renderer = std::string (*)(const Json& answer, const Question& question);
// Asks and renders until interrupted, redrawing in place on a terminal; just once without watch. What an answer leaves
// out goes to stderr when the output is for programs.
int Redraw(const Question& question, const std::function<Result<Json>()>& ask, Renderer render);

}  // namespace weir::cli
