//! Tables and sentences that several commands print.

use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};

use crate::{chain::Transaction, dispute::Report, units};

/// A table for a terminal: two spaces between columns, no lines but one below the head.
#[must_use]
pub fn table(head: &[&str], numeric: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_style(TableComponent::HeaderLines, '─').set_style(TableComponent::MiddleHeaderIntersections, '─');
    table.set_header(head);
    for &column in numeric {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The walk: a line a transaction.
#[must_use]
pub fn walk(transactions: &[Transaction]) -> String {
    let mut table = table(&["#", "who", "move", "what", "bytes", "gas"], &[0, 4, 5]);
    for (number, t) in (1..).zip(transactions) {
        let (bytes, gas) = (t.calldata_bytes.to_string(), units::grouped(t.gas));
        table.add_row([&number.to_string(), t.who, t.call, &t.what, &bytes, &gas]);
    }
    table.to_string()
}

/// The lie of a dispute.
#[must_use]
pub fn fault(report: &Report) -> String {
    let Some(fault) = &report.fault else {
        return "The claim is true; the challenge is false.".to_owned();
    };
    let term = fault.term.map_or_else(String::new, |term| format!(" (term {term} of its sum is off)"));
    let rest = if fault.consistent { "; all that follows is computed from it" } else { "" };
    format!(
        "The submitter lies at iteration {}, instruction {}, element {}: {} instead of {}{term}{rest}.",
        fault.t, fault.instruction, fault.element, fault.wrong, fault.right
    )
}

/// What a dispute came to.
#[must_use]
pub fn summary(report: &Report) -> String {
    format!(
        "The {} wins ({}): {} moves, {} gas in all, last step {} gas, {} bytes of calldata, {:.2} s.\n\
         Submitter {} wei, challenger {} wei.",
        report.winner,
        report.end,
        report.moves,
        units::grouped(report.gas_total),
        units::grouped(report.gas_last_step),
        report.calldata_bytes,
        report.seconds,
        report.submitter_change,
        report.challenger_change
    )
}
