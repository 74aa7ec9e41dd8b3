//! Tables and sentences that several commands print.

use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};

use crate::{chain::Transaction, dispute::Report, units};

/// A table for a terminal: two spaces between columns, a line below the head alone.
#[must_use]
pub fn table(head: &[&str], numeric: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_style(TableComponent::HeaderLines, '─').set_style(TableComponent::MiddleHeaderIntersections, '─');
    table.set_header(head);
    for number in 0..head.len() {
        if let Some(column) = table.column_mut(number) {
            column.set_padding((0, if number + 1 < head.len() { 2 } else { 0 }));
            if numeric.contains(&number) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// The lines of a table, nothing behind their last column.
#[must_use]
pub fn lines(table: &Table) -> String {
    table.trim_fmt()
}

/// The walk: a line a transaction.
#[must_use]
pub fn walk(transactions: &[Transaction]) -> String {
    let mut table = table(&["#", "who", "move", "what", "bytes", "gas"], &[0, 4, 5]);
    for (number, t) in (1..).zip(transactions) {
        let (bytes, gas) = (units::grouped_length(t.calldata_bytes), units::grouped(t.gas));
        table.add_row([&number.to_string(), t.who, t.call, &t.what, &bytes, &gas]);
    }
    lines(&table)
}

/// The lie of a dispute.
#[must_use]
pub fn fault(report: &Report) -> String {
    let Some(fault) = &report.fault else {
        return "The claim is true; the challenge is false.".to_owned();
    };
    let term = fault.term.map_or_else(String::new, |term| format!("; term {term} of its sum is off"));
    let rest = if fault.consistent { "\nAll that follows is computed from it." } else { "" };
    format!(
        "The lie: at iteration {}, instruction {}, element {} the trace says {} instead of {}{term}.{rest}",
        fault.t, fault.instruction, fault.element, fault.wrong, fault.right
    )
}

/// What a dispute came to, without its time, so that the text is the same on every machine.
#[must_use]
pub fn verdict(report: &Report) -> String {
    format!(
        "The {} wins by {}. Bonds: submitter {}, challenger {}.\n\
         {}, {} bytes of calldata, {} gas on both sides, {} gas in the last step.",
        report.winner,
        report.end,
        units::change_in_ether(&report.submitter_change),
        units::change_in_ether(&report.challenger_change),
        units::count(u64::try_from(report.moves).unwrap_or(u64::MAX), "move"),
        units::grouped_length(report.calldata_bytes),
        units::grouped(report.gas_total),
        units::grouped(report.gas_last_step),
    )
}
